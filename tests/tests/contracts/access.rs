//! Every method against every kind of caller.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, MethodDescriptor, Value, prost::Message};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{ClientId, PersonId};
use vouch_proto::access::access_of;
use vouch_suite::{SERVICES, raw};

use crate::{channel, things::things, token, world};

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
                let of_client = subject.is_some_and(|subject| subject.starts_with("client:"));
                let of_client = things.of_client.get(field).filter(|_| of_client);
                let id = of_client.or_else(|| things.ids.get(field));
                let message = id.map(|id| naming(&method, field, id));
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
            let reason = refused(None, "", &[Code::Unauthenticated]).await;
            assert_eq!(reason, "TOKEN_MISSING", "{path}");
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
