//! Commands in: from a gRPC request to a domain value, and from an error to a status that says enough and not more.

pub mod pieces;
pub mod slots;
pub mod status;

use prost::{Message, Name};
use sha2::{Digest, Sha256};
use tonic::{Request, Status};
use vouch_proto::access::NamedFields;
use vouch_proto::{Fields, Mutation, Violations};
use vouch_storage::idempotency::RequestKey;

use crate::access::{Caller, Claim, FindOwners};

/// Parses a request that changes something, and lets its caller go on if it is about what is theirs.
///
/// The key under which the answer will be remembered is the request's id, the full name of its message and a hash of
/// its caller and all it says. Equal requests encode equally, as the messages have no maps.
///
/// # Errors
/// INVALID_ARGUMENT with all violations, that of `request_id` among them; NOT_FOUND or PERMISSION_DENIED for what is
/// not the caller's.
pub async fn parse_mutation<P, C>(owners: &impl FindOwners, request: Request<P>) -> Result<(RequestKey, C), Status>
where
    P: Mutation + Message + Name + NamedFields,
    C: TryFrom<P, Error = Violations>,
{
    let claim = Claim::of(&request);
    let parsed = parse(claim.caller(), request.into_inner());
    claim.before(parsed, owners).await
}

fn parse<P, C>(caller: &Caller, message: P) -> Result<(RequestKey, C), Status>
where
    P: Mutation + Message + Name,
    C: TryFrom<P, Error = Violations>,
{
    let mut fields = Fields::new();
    let id = fields.request_id(&message);
    let hash = Sha256::new()
        .chain_update(caller.to_string())
        .chain_update([0])
        .chain_update(message.encode_to_vec())
        .finalize()
        .into();
    let mut violations = fields.finish(()).err().map_or_else(Vec::new, |told| told.0);
    match (id, C::try_from(message)) {
        (Some(id), Ok(command)) => Ok((
            RequestKey {
                id,
                method: P::full_name(),
                hash,
            },
            command,
        )),
        (_, parsed) => {
            // A command may check the id itself; it is told once.
            let others = parsed.err().into_iter().flat_map(|told| told.0);
            violations.extend(others.filter(|violation| violation.field != "request_id"));
            Err(status::invalid_argument(&Violations(violations)))
        }
    }
}

/// Parses a request that only reads, and lets its caller go on if it is about what is theirs.
///
/// # Errors
/// INVALID_ARGUMENT with all violations; NOT_FOUND or PERMISSION_DENIED for what is not the caller's.
pub async fn parse_query<P, Q>(owners: &impl FindOwners, request: Request<P>) -> Result<Q, Status>
where
    P: NamedFields,
    Q: TryFrom<P, Error = Violations>,
{
    let claim = Claim::of(&request);
    let parsed = Q::try_from(request.into_inner()).map_err(|violations| status::invalid_argument(&violations));
    claim.before(parsed, owners).await
}
