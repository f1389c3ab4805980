//! Every method against every kind of caller.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DynamicMessage, MethodDescriptor, Value, prost::Message};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{ClientId, Money, PersonId};
use vouch_proto::{access::access_of, onboarding::v1 as onboarding, payments::v1::contract::Pay};
use vouch_suite::{SERVICES, Story, raw};

use crate::{channel, token, world};

/// Real things by the name of the field that names them, with the subjects of their owners.
struct Things {
    ids: BTreeMap<&'static str, String>,
    client: String,
    talent: String,
    referrer: String,
}

/// One referral from end to end, so that there is one of everything.
async fn things(story: &Story) -> Things {
    let amount = Money::new(100_000, "USD".parse().expect("a currency"));
    let company = story.company("Harbour", "Henri", "henri@harbour.example").await;
    let company = company.expect("a client");
    let rosa = story
        .register("Rosa", "rosa@talent.example", "")
        .await
        .expect("a person");
    let referrer = story.enrol(&rosa).await.expect("a referrer");
    let now = story.clock.now().await.expect("the time");
    let invitation = story.invite(&company, "Ada", "ada@talent.example", ("Logo", amount), now);
    let invitation = invitation.await.expect("an invitation");
    let activated = story.activate("Ada", "ada@talent.example", &referrer.code).await;
    let (ada, case) = activated.expect("an account");
    let contract = story.accept(&case, "Hello").await.expect("a contract");
    let Some(Pay::Fixed(fixed)) = &contract.pay else {
        panic!("not a fixed price: {contract:?}")
    };
    let milestone = fixed.milestones[0].id.clone();
    let earning = story.pay(&milestone).await.expect("an earning");
    story.clock.settle().await.expect("rest");
    let attribution = story.attributions(&referrer.id).await.expect("a list").remove(0);
    let request = onboarding::GetCaseRequest {
        case_id: case.id.clone(),
    };
    let case = story.clients.cases.clone().get_case(request).await.expect("the case");
    let case = case.into_inner().case.expect("a case");
    let ids = BTreeMap::from([
        ("client_id", company.id.clone()),
        ("person_id", ada.id.clone()),
        ("account_id", ada.account_id.clone()),
        ("invitation_id", invitation.id),
        ("case_id", case.id.clone()),
        ("room_id", room_of(&case)),
        ("contract_id", contract.id.clone()),
        ("milestone_id", milestone),
        ("earning_id", earning),
        ("referrer_id", referrer.id),
        ("attribution_id", attribution.id),
    ]);
    Things {
        ids,
        client: format!("client:{}", company.id),
        talent: format!("person:{}", ada.id),
        referrer: format!("person:{}", rosa.id),
    }
}

fn room_of(case: &onboarding::Case) -> String {
    let offer = case.offer.as_ref().expect("an offer");
    offer.room_id.clone()
}

/// The smallest message that names this thing.
fn naming(method: &MethodDescriptor, field: &str, id: &str) -> Vec<u8> {
    let mut message = DynamicMessage::new(method.input());
    message.set_field_by_name(field, Value::String(id.to_owned()));
    message.encode_to_vec()
}

fn reason_of(status: &Status) -> String {
    status
        .get_details_error_info()
        .map_or_else(String::new, |info| info.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_at_what_is_somebody_elses() {
    let world = world().await;
    let things = things(&world.story().expect("a story")).await;
    let (strange_client, strange_person) = (
        format!("client:{}", ClientId::new()),
        format!("person:{}", PersonId::new()),
    );
    let mut seen = BTreeSet::new();
    for address in world.addresses() {
        let channel = channel(address);
        for method in raw::methods(&channel).await.expect("methods") {
            let path = raw::path_of(&method);
            let policy = access_of(&path).unwrap_or_else(|| panic!("{path} has no policy"));
            seen.insert(path.clone());
            let ask = async |subject: Option<&str>, field: &str| {
                let token = subject.map(|subject| token(world.keys(), subject));
                let message = things.ids.get(field).map(|id| naming(&method, field, id));
                raw::call(&channel, &path, message.unwrap_or_default().into(), token.as_deref()).await
            };
            let refused = async |subject: Option<&str>, field: &str, codes: &[Code]| {
                let status = ask(subject, field).await.expect_err(&path);
                assert!(codes.contains(&status.code()), "{path} as {subject:?}: {status:?}");
                reason_of(&status)
            };
            if policy.anyone {
                let anybody = ask(None, "").await;
                assert!(
                    !anybody.is_err_and(|status| status.code() == Code::Unauthenticated),
                    "{path}"
                );
                continue;
            }
            assert_eq!(
                refused(None, "", &[Code::Unauthenticated]).await,
                "TOKEN_MISSING",
                "{path}"
            );
            for service in SERVICES.iter().filter(|name| !policy.services.contains(*name)) {
                let reason = refused(Some(&format!("service:{service}")), "", &[Code::PermissionDenied]).await;
                assert_eq!(reason, "CALLER_NOT_ALLOWED", "{path} as {service}");
            }
            let parties = [
                (policy.client, &strange_client, vec![&things.client]),
                (policy.person, &strange_person, vec![&things.talent, &things.referrer]),
            ];
            for (field, stranger, owners) in parties {
                if field.is_empty() {
                    let reason = refused(Some(stranger), "", &[Code::PermissionDenied]).await;
                    assert_eq!(reason, "CALLER_NOT_ALLOWED", "{path} as {stranger}");
                    continue;
                }
                assert!(things.ids.contains_key(field), "{path}: this test knows no {field}");
                let codes = [Code::PermissionDenied, Code::NotFound];
                let reason = refused(Some(stranger), field, &codes).await;
                assert!(["NOT_YOURS", "NOT_FOUND"].contains(&&*reason), "{path}: {reason}");
                let mut admitted = false;
                for owner in owners {
                    admitted |= match ask(Some(owner), field).await {
                        Ok(_) => true,
                        Err(status) => !codes.contains(&status.code()),
                    };
                }
                assert!(admitted, "{path}: its owner is kept out");
            }
        }
    }
    assert!(seen.len() > 30, "reflection tells of {} methods: {seen:?}", seen.len());
    world.stop().await.expect("a good end");
}
