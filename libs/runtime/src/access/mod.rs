//! Who may call what: default deny.
//!
//! Each method's policy stands beside it in the proto, as the option `vouch.common.v1.access`. A caller names itself
//! with a token, an EdDSA JWT in the header `authorization: Bearer …`; the [`Gate`] in front of all methods lets in
//! those whom the policy names and leaves a [`Caller`] in the request's extensions. Whose a thing is, only its
//! service knows: [`FindOwners`] is asked wherever a request is parsed, for the field that the policy names.
//!
//! Services sign their own calls ([`Signer`]); those of clients and people are signed by the marketplace's identity
//! provider, for which a key that is made on the first start stands in locally.

mod caller;
mod keys;
mod notary;
mod seal;
mod token;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use vouch_primitives::{Clock, SystemClock, Timestamp, Uuid};
use vouch_proto::access::{Access, NamedFields, access_of};
use vouch_storage::StorageError;

pub use caller::{BadSubject, Caller, Owners};
pub use notary::{Notary, jwk};
pub use seal::Seal;

use crate::config::AccessConfig;
use crate::grpc::status;
use keys::Keys;
use token::Claims;

/// How long a service's own token is good for.
const SERVICE_TOKEN: Duration = Duration::from_secs(300);
/// A token is replaced when it has less than this left.
const SPARE: Duration = Duration::from_secs(60);
/// So many tokens are remembered as good, so that a signature is checked once and not at each call.
const REMEMBERED: usize = 4096;

/// The keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file of the key directory, or the directory.
    #[error("access.keys: {}: {reason}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The private key that was given.
    #[error("the private key is not an Ed25519 key as PKCS#8 in PEM: {0}")]
    PrivateKey(String),
    /// A token could not be signed.
    #[error("a token could not be signed: {0}")]
    Sign(String),
}

/// Lets callers in, or not. Clones share what they know.
#[derive(Clone, Debug)]
pub struct Gate {
    keys: Arc<Keys>,
    audience: String,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    generation: u64,
    tokens: HashMap<String, (Caller, u64)>,
}

impl Gate {
    /// The gate of a service. Missing keys are made if the configuration says so.
    ///
    /// # Errors
    /// When the keys cannot be read or made.
    pub fn open(config: &AccessConfig, service: &str) -> Result<Self, AccessError> {
        let directory = Path::new(&config.keys);
        if config.make_keys {
            keys::make_missing(directory, service)?;
        }
        Ok(Self {
            keys: Arc::new(Keys::open(directory)?),
            audience: config.audience.clone(),
            known: Arc::default(),
        })
    }

    /// Who calls the method at `path` (`/package.Service/Method`), and its policy.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a good token, PERMISSION_DENIED when the policy does not name the caller.
    pub fn admit(&self, path: &str, headers: &HeaderMap) -> Result<(Caller, &'static Access), Status> {
        let Some(policy) = access_of(path) else {
            return Err(status::with_reason(
                tonic::Code::Unimplemented,
                status::METHOD_UNKNOWN,
                "there is no such method",
            ));
        };
        let caller = match bearer(headers)? {
            Some(token) => self.verify(token)?,
            None if policy.anyone => Caller::Anybody,
            None => return Err(unauthenticated(status::TOKEN_MISSING, "the call carries no token")),
        };
        if names(policy, &caller) {
            if matches!(caller, Caller::Operator(_)) {
                tracing::info!(caller = %caller, rpc.method = path, "an operator calls");
            }
            return Ok((caller, policy));
        }
        Err(status::with_reason(
            tonic::Code::PermissionDenied,
            status::CALLER_NOT_ALLOWED,
            format!("{} may not call this method", kind_of(&caller)),
        ))
    }

    fn verify(&self, text: &str) -> Result<Caller, Status> {
        let invalid = || unauthenticated(status::TOKEN_INVALID, "the token is not valid here");
        let now = now();
        let generation = self.keys.generation();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.generation != generation || known.tokens.len() >= REMEMBERED {
                *known = Known {
                    generation,
                    tokens: HashMap::new(),
                };
            }
            if let Some((caller, end)) = known.tokens.get(text)
                && *end > now
            {
                return Ok(caller.clone());
            }
        }
        let kid = token::kid(text).ok_or_else(invalid)?;
        let (Some(key), generation) = self.keys.get(&kid) else {
            return Err(invalid());
        };
        let claims = token::verify(text, &key.key, &self.audience).map_err(|error| {
            tracing::debug!(%error, "a token was refused");
            if token::is_expired(&error) {
                unauthenticated(status::TOKEN_EXPIRED, "the token has expired")
            } else {
                invalid()
            }
        })?;
        let caller: Caller = claims.sub.parse().map_err(|_| invalid())?;
        if !key.may_sign(&caller) {
            tracing::warn!(kid, subject = claims.sub, "a key signed for whom it may not speak");
            return Err(invalid());
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation == generation {
            known.tokens.insert(text.to_owned(), (caller.clone(), claims.exp));
        }
        Ok(caller)
    }
}

/// Knows whose things are: one place in each service.
pub trait FindOwners {
    /// Whose the thing is that a request names in this field (`contract_id`); `None` if there is no such thing.
    ///
    /// # Errors
    /// When the database fails.
    fn find_owners(&self, field: &str, id: Uuid) -> impl Future<Output = Result<Option<Owners>, StorageError>> + Send;
}

/// What a caller wants to have to do with: read from a request before it is parsed.
pub(crate) struct Claim {
    caller: Caller,
    policy: Option<&'static Access>,
    field: &'static str,
    id: String,
}

impl Claim {
    /// What the caller of this request names as theirs, in the field that the method's policy says.
    pub(crate) fn of<P: NamedFields>(request: &Request<P>) -> Self {
        let caller = Caller::of(request);
        let policy = request.extensions().get::<&'static Access>().copied();
        let field = policy.map_or("", |policy| match caller {
            Caller::Client(_) => policy.client,
            Caller::Person(_) => policy.person,
            _ => "",
        });
        Self {
            id: request.get_ref().named(field).to_owned(),
            caller,
            policy,
            field,
        }
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Hands out what was parsed, if it is about what is the caller's. Whoever has no business here is not told what
    /// else is wrong with the request; an id that is none is a mistake like any other.
    pub(crate) async fn before<T>(&self, parsed: Result<T, Status>, owners: &impl FindOwners) -> Result<T, Status> {
        if parsed.is_ok() || self.id.parse::<Uuid>().is_ok() {
            self.check(owners).await?;
        }
        parsed
    }

    /// Lets the caller go on if the thing is theirs. What is somebody else's looks like what is not there.
    async fn check(&self, owners: &impl FindOwners) -> Result<(), Status> {
        let denied = |reason, message| Err(status::with_reason(tonic::Code::PermissionDenied, reason, message));
        if self.policy.is_none() {
            return denied(status::CALLER_NOT_ALLOWED, "nobody may call this method".to_owned());
        }
        // Operators and services may have to do with everything that the gate lets them call; a method that anybody
        // may call is about nobody's things.
        if matches!(self.caller, Caller::Operator(_) | Caller::Service(_)) || self.field.is_empty() {
            return Ok(());
        }
        let own = match &self.caller {
            Caller::Client(id) => (self.field == "client_id").then(|| id.to_string()),
            Caller::Person(id) => (self.field == "person_id").then(|| id.to_string()),
            _ => None,
        };
        if let Some(own) = own {
            return if own == self.id {
                Ok(())
            } else {
                denied(
                    status::NOT_YOURS,
                    format!("{} may ask for what is theirs alone", kind_of(&self.caller)),
                )
            };
        }
        let resource = self.field.strip_suffix("_id").unwrap_or(self.field);
        let id: Option<Uuid> = self.id.parse().ok();
        let found = match id {
            Some(id) => owners.find_owners(self.field, id).await,
            None => Ok(None),
        };
        let found = found.map_err(|error| status::storage(&error))?;
        if found.is_some_and(|owners| self.caller.may_touch(&owners)) {
            Ok(())
        } else {
            Err(status::not_found(resource, &self.id))
        }
    }
}

/// Whether the policy names this caller; whose a thing is comes later.
fn names(policy: &Access, caller: &Caller) -> bool {
    match caller {
        _ if policy.anyone => true,
        Caller::Anybody => false,
        Caller::Operator(_) => true,
        Caller::Service(name) => policy.services.contains(&name.as_str()),
        Caller::Client(_) => !policy.client.is_empty(),
        Caller::Person(_) => !policy.person.is_empty(),
    }
}

fn kind_of(caller: &Caller) -> &'static str {
    match caller {
        Caller::Anybody => "nobody without a token",
        Caller::Operator(_) => "an operator",
        Caller::Service(_) => "this service",
        Caller::Client(_) => "a client",
        Caller::Person(_) => "a person",
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")))
            .map(|token| Some(token.trim()))
            .ok_or_else(|| {
                unauthenticated(
                    status::TOKEN_INVALID,
                    "the header is not `authorization: Bearer <token>`",
                )
            }),
        _ => Err(unauthenticated(status::TOKEN_INVALID, "the call carries two tokens")),
    }
}

fn unauthenticated(reason: &str, message: &str) -> Status {
    status::with_reason(tonic::Code::Unauthenticated, reason, message)
}

/// Real time, also under a test clock: tokens come from outside.
fn now() -> u64 {
    SystemClock.now().since(Timestamp::EPOCH).as_secs()
}

/// A token for `caller`, good for `lasting`, signed with a private key of the directory: what an identity provider does
/// for clients, people and operators, and each service for itself.
///
/// # Errors
/// When the key is not there or cannot be read.
pub fn issue(config: &AccessConfig, caller: &Caller, lasting: Duration) -> Result<String, AccessError> {
    let key = keys::read_private(&keys::private_path(Path::new(&config.keys), caller))?;
    let now = now();
    let claims = Claims {
        sub: caller.to_string(),
        aud: config.audience.clone(),
        iat: now,
        exp: now.saturating_add(lasting.as_secs()),
    };
    token::sign(&key, &keys::kid(&key.verifying_key()), &claims).map_err(|error| AccessError::Sign(error.to_string()))
}

/// A channel whose calls are signed, for a generated client.
pub type Signed = InterceptedService<Channel, Signer>;

/// Signs the calls of one caller. The token is made anew before it ends, with the key that is then in the directory.
#[derive(Clone, Debug)]
pub struct Signer {
    config: AccessConfig,
    caller: Caller,
    token: Arc<Mutex<Option<(HeaderValue, u64)>>>,
}

impl Signer {
    /// Signs for `caller`, with the key of the directory that speaks for them.
    #[must_use]
    pub fn new(config: &AccessConfig, caller: Caller) -> Self {
        Self {
            config: config.clone(),
            caller,
            token: Arc::default(),
        }
    }

    /// The channel, with calls that are signed.
    #[must_use]
    pub fn on(self, channel: Channel) -> Signed {
        InterceptedService::new(channel, self)
    }

    /// The value of the header `authorization`.
    ///
    /// # Errors
    /// When no token can be made, and none is left from before.
    pub fn authorization(&self) -> Result<HeaderValue, AccessError> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, end)) = token.as_ref()
            && *end > now() + SPARE.as_secs()
        {
            return Ok(value.clone());
        }
        let text = issue(&self.config, &self.caller, SERVICE_TOKEN)?;
        let mut value = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| AccessError::Sign("it is no header value".to_owned()))?;
        value.set_sensitive(true);
        *token = Some((value.clone(), now() + SERVICE_TOKEN.as_secs()));
        Ok(value)
    }
}

impl Interceptor for Signer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        // A caller that was named for this one call goes before the one that calls as a rule.
        if request.metadata().get("authorization").is_none() {
            let value = self.authorization().map_err(|error| status::internal(&error))?;
            let value = MetadataValue::try_from(value.as_bytes()).map_err(|error| status::internal(&error))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}
