//! Who may do what on NATS: `deploy/nats/accounts.conf` on a real nats-server, held against what the services subscribe to.

use std::{fs, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap};
use futures::StreamExt;
use nkeys::KeyPair;
use tokio::{sync::mpsc, time::timeout};
use vouch_messaging::{AUDITOR, Bus, Envelope, JetStream, NatsConfig, PROVISIONER, Subscription};
use vouch_primitives::{EventId, Timestamp, Uuid};
use vouch_suite::{Nkeys, SERVICES};
use vouch_testkit::{NatsServer, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

/// What each service subscribes to, as it says itself.
fn subscriptions() -> Vec<Subscription> {
    [
        vouch_invitation::events::router().subscriptions(),
        vouch_onboarding::events::router().subscriptions(),
        vouch_payments::events::router().subscriptions(),
        vouch_referral::events::router().subscriptions(),
    ]
    .concat()
}

/// A server with the permissions, where streams and consumers have been made.
async fn guarded() -> (NatsServer, Nkeys) {
    let home = tempfile::tempdir().expect("a directory");
    let nkeys = Nkeys::make(home.path()).expect("keys");
    let nats = NatsServer::start_in(home, "include \"accounts.conf\"")
        .await
        .expect("nats");
    provision(&config(&nats, Some(&nkeys), SERVICES[0])).await;
    (nats, nkeys)
}

async fn provision(config: &NatsConfig) {
    let maker = JetStream::connect(&config.for_provisioning(), PROVISIONER)
        .await
        .expect("a connection");
    for service in SERVICES {
        let own: Vec<_> = subscriptions()
            .into_iter()
            .filter(|subscription| subscription.durable == service)
            .collect();
        maker.provision(service, &own).await.expect("provisioned");
    }
    let auditor = JetStream::connect(&config.for_auditing(), AUDITOR)
        .await
        .expect("a connection");
    for stream in AUDITED {
        let of = subscriptions()
            .into_iter()
            .find(|subscription| subscription.stream == stream);
        let replay = auditor.replay(&of.expect("a subscription")).await;
        assert_eq!(replay.expect("it may be read").messages(), 0);
    }
}

/// The streams that the auditor reads.
const AUDITED: [&str; 2] = ["VOUCH_ONBOARDING", "VOUCH_PAYMENTS"];

fn config(nats: &NatsServer, nkeys: Option<&Nkeys>, service: &str) -> NatsConfig {
    let seed = |user| nkeys.map_or_else(String::new, |nkeys| nkeys.seed(user).display().to_string());
    NatsConfig {
        url: nats.url(),
        nkey_seed_file: seed(service),
        provisioning_nkey_seed_file: seed(PROVISIONER),
        auditing_nkey_seed_file: seed(AUDITOR),
        ..NatsConfig::default()
    }
}

async fn connected(bus: &JetStream) {
    eventually("a connection", PATIENCE, async || {
        bus.is_connected().then_some(()).ok_or_else(String::new)
    })
    .await;
}

fn event(event_type: &str) -> Envelope {
    Envelope {
        id: EventId::new(),
        event_type: event_type.to_owned(),
        source: "/vouch/test".to_owned(),
        time: Timestamp::EPOCH,
        aggregate_id: Uuid::nil(),
        payload: "hello".into(),
        traceparent: None,
    }
}

#[tokio::test]
async fn nats_lets_each_service_do_its_work() {
    let (nats, nkeys) = guarded().await;
    let mut buses = Vec::new();
    for service in SERVICES {
        let config = config(&nats, Some(&nkeys), service);
        let bus = JetStream::connect(&config, service).await.expect("a connection");
        connected(&bus).await;
        buses.push((service, bus));
    }
    let bus_of = |name: &str| {
        let found = buses.iter().find(|(service, _)| *service == name);
        &found.expect("a service").1
    };
    for subscription in subscriptions() {
        let producer = subscription.producer.trim_start_matches("vouch.");
        let (durable, stream) = (&subscription.durable, &subscription.stream);
        let before = bus_of(durable).lag(&subscription).await.expect("its lag").pending;
        let events: Vec<_> = subscription.subjects.iter().map(|subject| event(subject)).collect();
        for outcome in bus_of(producer).publish(&events).await {
            outcome.unwrap_or_else(|error| panic!("{producer} may not publish on {stream}: {error}"));
        }
        let pulled = bus_of(durable).pull(&subscription, 100, PATIENCE).await;
        let pulled = pulled.unwrap_or_else(|error| panic!("{durable} may not pull from {stream}: {error}"));
        let expected = usize::try_from(before).expect("a small number") + events.len();
        assert_eq!(pulled.len(), expected, "{durable} of {stream}");
        assert!(pulled.iter().all(|delivery| delivery.event.is_ok()), "{pulled:?}");
        let receipts: Vec<_> = pulled.into_iter().map(|delivery| delivery.receipt).collect();
        bus_of(durable).ack(&subscription, &receipts).await.expect("sent");
        // The answers have no answer: a permission that is missing shows in what stays unsettled.
        let settled = format!("{durable} settles what it has of {stream}");
        eventually(&settled, PATIENCE, async || {
            match bus_of(durable).lag(&subscription).await {
                Ok(lag) if lag.is_zero() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// Somebody on a connection, with the errors that the server tells.
struct User {
    client: Client,
    told: mpsc::UnboundedReceiver<String>,
}

impl User {
    async fn enter(nats: &NatsServer, nkeys: Option<&Nkeys>, name: &str) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let options = nkeys.map_or_else(ConnectOptions::new, |nkeys| {
            let seed = fs::read_to_string(nkeys.seed(name)).expect("a seed");
            ConnectOptions::with_nkey(seed.trim().to_owned())
        });
        let client = options
            .custom_inbox_prefix(format!("_INBOX_{name}"))
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    // Who has gone wants to hear nothing.
                    let _ = tell.send(error.to_string());
                }
                std::future::ready(())
            })
            .connect(nats.url())
            .await
            .expect("a connection");
        Self { client, told }
    }

    /// Does it, and says whether it was done or refused; nothing else may come of it.
    async fn may(&mut self, deed: &Deed) -> bool {
        let (client, subject) = (self.client.clone(), deed.subject.clone());
        let doing = async {
            if deed.hears {
                let mut heard = client.subscribe(subject.clone()).await.expect("sent");
                client
                    .publish(subject.replace('>', "x"), "".into())
                    .await
                    .expect("sent");
                heard.next().await.expect("something is heard");
            } else {
                let answer = client.request(subject.clone(), deed.payload().into()).await;
                answer.unwrap_or_else(|error| panic!("nobody answers {subject}: {error}"));
            }
        };
        let verb = if deed.hears { "Subscription" } else { "Publish" };
        let refusal = format!("Permissions Violation for {verb} to \"{subject}\"");
        let refused = async {
            while let Some(error) = self.told.recv().await {
                if error.contains(&refusal) {
                    return;
                }
            }
        };
        let outcome = timeout(PATIENCE, async {
            tokio::select! {
                () = doing => true,
                () = refused => false,
            }
        });
        outcome
            .await
            .unwrap_or_else(|_| panic!("{subject}: neither done nor refused"))
    }
}

/// What somebody may try: to speak on a subject and be answered, or to hear what is said there.
struct Deed {
    subject: String,
    hears: bool,
    /// The only users who may.
    owners: Vec<&'static str>,
}

impl Deed {
    fn payload(&self) -> &'static str {
        if self.subject.contains(".MSG.NEXT.") {
            r#"{"batch":1,"no_wait":true}"#
        } else if self.subject.starts_with("$JS.ACK.") {
            // "Still at it" is answered even where nothing was delivered.
            "+WPI"
        } else {
            ""
        }
    }

    /// What takes away what others need comes last, and streams after consumers.
    fn harm(&self) -> u8 {
        u8::from(self.subject.starts_with("$JS.API.CONSUMER.DELETE."))
            + 2 * u8::from(self.subject.starts_with("$JS.API.STREAM.DELETE."))
    }
}

fn ask(owners: &[&'static str], subject: String) -> Deed {
    Deed {
        subject,
        hears: false,
        owners: owners.to_vec(),
    }
}

fn hear(owners: &[&'static str], subject: &str) -> Deed {
    Deed {
        subject: subject.to_owned(),
        hears: true,
        owners: owners.to_vec(),
    }
}

/// What can be done to a service's stream as a whole.
fn deeds_on_stream_of(service: &'static str) -> Vec<Deed> {
    let stream = format!("VOUCH_{}", service.to_uppercase());
    let audited = AUDITED.contains(&stream.as_str());
    let mut deeds = vec![
        ask(&[service], format!("vouch.{service}.v1.Anything")),
        ask(
            if audited {
                &[PROVISIONER, AUDITOR]
            } else {
                &[PROVISIONER]
            },
            format!("$JS.API.STREAM.INFO.{stream}"),
        ),
        ask(&[], format!("$JS.API.DIRECT.GET.{stream}.vouch.{service}.v1.Anything")),
    ];
    let makes = ["CREATE", "UPDATE"];
    deeds.extend(makes.map(|api| ask(&[PROVISIONER], format!("$JS.API.STREAM.{api}.{stream}"))));
    let harms = ["PURGE", "DELETE", "MSG.GET", "MSG.DELETE", "SNAPSHOT"];
    deeds.extend(harms.map(|api| ask(&[], format!("$JS.API.STREAM.{api}.{stream}"))));
    let looks = ["CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST", "DIRECT.GET"];
    deeds.extend(looks.map(|api| ask(&[], format!("$JS.API.{api}.{stream}"))));
    for durable in SERVICES {
        let consumer = format!("{stream}.{durable}");
        deeds.push(ask(&[PROVISIONER], format!("$JS.API.CONSUMER.CREATE.{consumer}")));
        deeds.push(ask(
            &[],
            format!("$JS.API.CONSUMER.CREATE.{consumer}.vouch.{service}.>"),
        ));
        deeds.push(ask(&[], format!("$JS.API.CONSUMER.DURABLE.CREATE.{consumer}")));
    }
    deeds
}

/// What can be done with a consumer: that of a service, or that with which the auditor reads.
fn deeds_on_consumers() -> Vec<Deed> {
    let mut deeds = Vec::new();
    for service in SERVICES {
        let stream = format!("VOUCH_{}", service.to_uppercase());
        let consumer = format!("{stream}.{AUDITOR}");
        if !AUDITED.contains(&stream.as_str()) {
            deeds.push(ask(&[PROVISIONER], format!("$JS.API.CONSUMER.CREATE.{consumer}")));
            continue;
        }
        let makers = [PROVISIONER, AUDITOR];
        deeds.push(ask(&makers, format!("$JS.API.CONSUMER.CREATE.{consumer}")));
        let own = ["MSG.NEXT", "DELETE"];
        deeds.extend(own.map(|api| ask(&[AUDITOR], format!("$JS.API.CONSUMER.{api}.{consumer}"))));
        let others = ["INFO", "PAUSE", "RESET", "UNPIN"];
        deeds.extend(others.map(|api| ask(&[], format!("$JS.API.CONSUMER.{api}.{consumer}"))));
    }
    for Subscription { stream, durable, .. } in subscriptions() {
        let owner: Vec<_> = SERVICES.into_iter().filter(|service| *service == durable).collect();
        let own = ["INFO", "MSG.NEXT"];
        deeds.extend(own.map(|api| ask(&owner, format!("$JS.API.CONSUMER.{api}.{stream}.{durable}"))));
        let harms = ["DELETE", "PAUSE", "RESET", "UNPIN"];
        deeds.extend(harms.map(|api| ask(&[], format!("$JS.API.CONSUMER.{api}.{stream}.{durable}"))));
        deeds.push(ask(&owner, format!("$JS.ACK.{stream}.{durable}.1.1.1.1.0")));
    }
    deeds
}

fn deeds() -> Vec<Deed> {
    let mut deeds: Vec<Deed> = SERVICES.into_iter().flat_map(deeds_on_stream_of).collect();
    let general = ["INFO", "STREAM.NAMES", "STREAM.LIST"];
    deeds.extend(general.map(|api| ask(&[], format!("$JS.API.{api}"))));
    deeds.extend(deeds_on_consumers());
    let users = SERVICES.into_iter().chain([PROVISIONER, AUDITOR]);
    deeds.extend(users.map(|user| hear(&[user], &format!("_INBOX_{user}.>"))));
    let everything = [
        ">",
        "vouch.>",
        "_INBOX.>",
        "$JS.>",
        "$JS.ACK.>",
        "$JS.EVENT.ADVISORY.>",
        "$SYS.>",
    ];
    deeds.extend(everything.map(|subject| hear(&[], subject)));
    deeds.sort_by_key(Deed::harm);
    deeds
}

/// A wildcard of one's own inbox is proven by every answer that comes there.
fn is_own_inbox(deed: &Deed, user: &str) -> bool {
    deed.hears && deed.owners.contains(&user)
}

#[tokio::test]
async fn nats_refuses_each_user_what_is_not_theirs() {
    let (nats, nkeys) = guarded().await;
    let mut wrong = Vec::new();
    for name in SERVICES.into_iter().chain([PROVISIONER, AUDITOR]) {
        let mut user = User::enter(&nats, Some(&nkeys), name).await;
        for deed in deeds().iter().filter(|deed| !is_own_inbox(deed, name)) {
            let may = user.may(deed).await;
            if may != deed.owners.contains(&name) {
                wrong.push(format!(
                    "{name}: {} ({})",
                    deed.subject,
                    if may { "done" } else { "refused" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn nats_without_permissions_refuses_none_of_this() {
    let nats = NatsServer::start().await.expect("nats");
    provision(&config(&nats, None, SERVICES[0])).await;
    let mut anybody = User::enter(&nats, None, "anybody").await;
    let context = async_nats::jetstream::new(anybody.client.clone());
    for service in SERVICES {
        let stream = context
            .get_stream(format!("VOUCH_{}", service.to_uppercase()))
            .await
            .expect("a stream");
        let mut relaxed = stream.cached_info().config.clone();
        // Else nobody is there to ask.
        relaxed.allow_direct = true;
        context.update_stream(relaxed).await.expect("updated");
    }
    for deed in deeds() {
        assert!(anybody.may(&deed).await, "{}", deed.subject);
    }
}

#[tokio::test]
async fn nats_knows_its_users_and_nobody_else() {
    let (nats, nkeys) = guarded().await;
    User::enter(&nats, Some(&nkeys), SERVICES[0]).await;
    let stranger = KeyPair::new_user().seed().expect("a seed");
    for (who, options) in [
        ("nobody", ConnectOptions::new()),
        ("a stranger", ConnectOptions::with_nkey(stranger)),
        (
            "a name",
            ConnectOptions::with_user_and_password(SERVICES[0].to_owned(), String::new()),
        ),
    ] {
        let refused = options.connect(nats.url()).await.expect_err(who);
        assert_eq!(refused.kind(), ConnectErrorKind::AuthorizationViolation, "{who}");
    }
}

/// What the server does in somebody's name it does not hold against their permissions: where headers and reply subjects
/// lead is for the streams and the consumers to withstand.
#[tokio::test]
async fn nats_lets_nobody_forge_an_event_by_headers_or_replies() {
    let (nats, nkeys) = guarded().await;
    let forger = User::enter(&nats, Some(&nkeys), "onboarding").await.client;
    let (own, victim) = ("vouch.onboarding.v1.OfferAccepted", "vouch.referral.v1.RewardReleased");
    for lure in [
        &[("Nats-Expected-Stream", "VOUCH_REFERRAL")][..],
        &[
            ("Nats-Schedule", "@at 2020-01-01T00:00:00Z"),
            ("Nats-Schedule-Target", victim),
        ],
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in lure {
            headers.insert(*name, *value);
        }
        let answer = forger.request_with_headers(own, headers, "".into()).await;
        let answer = String::from_utf8_lossy(&answer.expect("an answer").payload).into_owned();
        assert!(answer.contains("\"error\""), "{lure:?}: {answer}");
    }
    // The acknowledgement of this one goes where the forger has no say; it has a body of the server's and no headers.
    forger.publish_with_reply(own, victim, "".into()).await.expect("sent");
    forger.flush().await.expect("flushed");

    let payments = config(&nats, Some(&nkeys), "payments");
    let payments = JetStream::connect(&payments, "payments").await.expect("a connection");
    connected(&payments).await;
    let subscription = subscriptions()
        .into_iter()
        .find(|subscription| subscription.durable == "payments" && subscription.stream == "VOUCH_REFERRAL");
    let pulled = payments
        .pull(&subscription.expect("a subscription"), 10, PATIENCE)
        .await;
    let [arrived] = &pulled.expect("pulled")[..] else {
        panic!("one message, the acknowledgement")
    };
    let malformed = arrived.event.as_ref().expect_err("no event");
    assert_eq!(malformed.headers, "");
}
