//! Clients: the companies that hire.

use tonic::Code;
use vouch_primitives::ClientId;
use vouch_proto::invitation::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::counts,
    world::{World, create_client, refusal, request_id, violations},
};

on_both_databases! {
    a_client_is_registered_once_and_read_again,
    a_bad_client_is_told_everything_and_written_nowhere,
}

async fn a_client_is_registered_once_and_read_again(database: TestDatabase) {
    let world = World::new(database).await;
    let request = create_client(
        " Acme ",
        &[
            ("Grace Hopper", "Grace@Acme.example"),
            ("Joan Clarke", "joan@acme.example"),
        ],
    );
    let mut service = world.clients.clone();
    let created = service
        .create_client(request.clone())
        .await
        .expect("a client")
        .into_inner();
    let again = service
        .create_client(request.clone())
        .await
        .expect("the same client")
        .into_inner();
    assert_eq!(created, again);
    let client = created.client.expect("a client");
    assert_eq!((client.company_name.as_str(), client.plan()), ("Acme", pb::Plan::Basic));
    let names: Vec<_> = client
        .hiring_managers
        .iter()
        .map(|manager| manager.display_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["Grace Hopper", "Joan Clarke"],
        "in the order in which they were named"
    );
    assert_eq!(client.hiring_managers[0].email, "grace@acme.example");

    let read = service
        .get_client(pb::GetClientRequest {
            client_id: client.id.clone(),
        })
        .await
        .expect("the client");
    assert_eq!(read.into_inner().client, Some(client));
    let other = pb::CreateClientRequest {
        company_name: "Other".to_owned(),
        ..request
    };
    let reused = service.create_client(other).await;
    assert_eq!(refusal(reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    let unknown = service
        .get_client(pb::GetClientRequest {
            client_id: ClientId::new().to_string(),
        })
        .await;
    assert_eq!(refusal(unknown), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

async fn a_bad_client_is_told_everything_and_written_nowhere(database: TestDatabase) {
    let world = World::new(database).await;
    let mut service = world.clients.clone();
    let before = counts(&world.db).await;
    let nothing = service.create_client(pb::CreateClientRequest::default()).await;
    let expected = [
        "request_id REQUIRED",
        "company_name REQUIRED",
        "plan REQUIRED",
        "hiring_managers REQUIRED",
    ];
    assert_eq!(violations(nothing), expected);

    let mut managers = create_client(
        "Acme\r\nBcc: all@example.com",
        &[("Grace", "nobody"), ("", "a@b.example"), ("Joan", "A@B.example")],
    );
    managers.request_id = "7".to_owned();
    managers.hiring_managers[0].id = request_id();
    managers.hiring_managers[1].display_name = "x".repeat(201);
    managers.hiring_managers.push(managers.hiring_managers[2].clone());
    let expected = [
        "request_id INVALID_FORMAT",
        "company_name INVALID_FORMAT",
        "hiring_managers[0].id NOT_ALLOWED",
        "hiring_managers[0].email INVALID_FORMAT",
        "hiring_managers[1].display_name TOO_LONG",
        "hiring_managers[3].email DUPLICATE",
    ];
    assert_eq!(violations(service.create_client(managers).await), expected);

    // What no mail can hold is refused before anybody writes one.
    let address = format!("grace@{}.example", "a".repeat(64));
    let unfit = create_client("Acme\u{202e}", &[("Gra\u{2028}ce", &address)]);
    let expected = [
        "company_name INVALID_FORMAT",
        "hiring_managers[0].display_name INVALID_FORMAT",
        "hiring_managers[0].email INVALID_FORMAT",
    ];
    assert_eq!(violations(service.create_client(unfit).await), expected);

    let names: Vec<_> = (0..51)
        .map(|number| (format!("Manager {number}"), format!("m{number}@acme.example")))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(|(name, email)| (name.as_str(), email.as_str()))
        .collect();
    let many = service.create_client(create_client("Acme", &names)).await;
    assert_eq!(violations(many), ["hiring_managers OUT_OF_RANGE"]);
    let read = service
        .get_client(pb::GetClientRequest {
            client_id: "acme".to_owned(),
        })
        .await;
    assert_eq!(violations(read), ["client_id INVALID_FORMAT"]);
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}
