//! Many invitations at once: each is sent or refused by itself, and none is sent twice.

use tonic::{Code, Status};
use vouch_proto::invitation::v1::{
    self as pb, invitation_draft::Content, invitation_verdict::Verdict, suppression::Reason,
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, counts, told},
    world::{World, fixed_terms, refusal, request_id, violations},
};

on_both_databases! {
    each_row_has_its_own_verdict,
    a_thousand_are_sent_in_one_call_once,
    a_plan_s_limit_cuts_a_list_where_it_is_reached,
    a_bad_list_is_refused_as_a_whole,
}

fn draft(email: &str) -> pb::InvitationDraft {
    pb::InvitationDraft {
        talent_type: pb::TalentType::Freelancer.into(),
        recipient_email: email.to_owned(),
        content: Some(Content::ContractTerms(fixed_terms())),
        ..Default::default()
    }
}

fn request(client: &pb::Client, invitations: Vec<pb::InvitationDraft>) -> pb::SendInvitationsRequest {
    pb::SendInvitationsRequest {
        request_id: request_id(),
        client_id: client.id.clone(),
        hiring_manager_id: String::new(),
        invitations,
    }
}

async fn send(world: &World, request: pb::SendInvitationsRequest) -> Result<Vec<Verdict>, Status> {
    let answer = world.invitations.clone().send_invitations(request).await?;
    let verdicts = answer.into_inner().verdicts;
    Ok(verdicts
        .into_iter()
        .map(|verdict| verdict.verdict.expect("a verdict"))
        .collect())
}

fn reason(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::InvitationId(_) => "sent",
        Verdict::Refusal(refusal) => &refusal.reason,
    }
}

fn refused(verdict: &Verdict) -> &pb::InvitationRefusal {
    match verdict {
        Verdict::Refusal(refusal) => refusal,
        Verdict::InvitationId(id) => panic!("{id} was sent"),
    }
}

async fn each_row_has_its_own_verdict(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let suppress = pb::SuppressAddressRequest {
        request_id: request_id(),
        email: "gone@example.com".to_owned(),
        reason: Reason::Bounced.into(),
    };
    world
        .suppressions
        .clone()
        .suppress_address(suppress)
        .await
        .expect("suppressed");
    for _ in 0..3 {
        send(&world, request(&client, vec![draft("much@example.com")]))
            .await
            .expect("sent");
    }
    let nowhere = pb::InvitationDraft {
        content: Some(Content::TalentCloudId(client.id.clone())),
        personal_message: "Come.".to_owned(),
        ..draft("cloud@example.com")
    };
    let wrong = pb::InvitationDraft {
        talent_type: 0,
        content: None,
        ..draft("nobody")
    };
    let rows = vec![
        draft("ada@example.com"),
        wrong,
        draft("gone@example.com"),
        draft("much@example.com"),
        draft("Ada@Example.com"),
        nowhere,
        draft("joan@example.com"),
    ];
    let verdicts = send(&world, request(&client, rows)).await.expect("verdicts");
    let expected = [
        "sent",
        "INVALID_REQUEST",
        "ADDRESS_SUPPRESSED",
        "ADDRESS_LIMIT_REACHED",
        "ADDRESS_REPEATED",
        "NOT_FOUND",
        "sent",
    ];
    assert_eq!(verdicts.iter().map(reason).collect::<Vec<_>>(), expected);
    let unreadable = refused(&verdicts[1]);
    let fields: Vec<_> = unreadable
        .field_violations
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(fields, ["talent_type", "content", "recipient_email"]);
    let full = refused(&verdicts[3]);
    assert!(
        full.retry_time.is_some() && full.message.contains("this week"),
        "{full:?}"
    );
    let Verdict::InvitationId(ada) = &verdicts[0] else {
        unreachable!("sent above")
    };
    assert_eq!(world.get(ada).await.expect("sent").recipient_email, "ada@example.com");
    world.token_for("joan@example.com").await;
    world.stop().await;
}

async fn a_thousand_are_sent_in_one_call_once(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::BusinessPlus).await;
    let drafts = (0..1_000).map(|nth| draft(&format!("talent{nth}@example.com")));
    let request = request(&client, drafts.collect());
    let first = send(&world, request.clone()).await.expect("verdicts");
    assert_eq!(first.len(), 1_000);
    assert!(first.iter().all(|verdict| reason(verdict) == "sent"));
    assert_eq!(send(&world, request).await.expect("the same verdicts"), first);
    for (table, rows) in [("invitation", 1_000), ("mail", 1_000), ("timer", 2_000)] {
        assert_eq!(count(&world.db, table).await, rows, "{table}");
    }
    assert_eq!(told::<pb::InvitationSent>(&world.db).await.len(), 1_000);
    world.stop().await;
}

async fn a_plan_s_limit_cuts_a_list_where_it_is_reached(database: TestDatabase) {
    let world = World::new(database).await;
    let (other, client) = (world.client(pb::Plan::Enterprise).await, world.acme().await);
    for _ in 0..3 {
        send(&world, request(&other, vec![draft("talent3@example.com")]))
            .await
            .expect("sent");
    }
    let drafts = (0..25).map(|nth| draft(&format!("talent{nth}@example.com")));
    let verdicts = send(&world, request(&client, drafts.collect()))
        .await
        .expect("verdicts");
    let expected = (0..25).map(|nth| match nth {
        // Who has had enough leaves room for somebody else.
        3 => "ADDRESS_LIMIT_REACHED",
        0..=20 => "sent",
        _ => "INVITATION_LIMIT_REACHED",
    });
    assert_eq!(
        verdicts.iter().map(reason).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
    world.stop().await;
}

async fn a_bad_list_is_refused_as_a_whole(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let before = counts(&world.db).await;
    assert_eq!(
        violations(send(&world, request(&client, vec![])).await),
        ["invitations REQUIRED"]
    );
    let many = vec![pb::InvitationDraft::default(); 1_001];
    assert_eq!(
        violations(send(&world, request(&client, many)).await),
        ["invitations OUT_OF_RANGE"]
    );
    let strange = pb::SendInvitationsRequest {
        hiring_manager_id: client.id.clone(),
        ..request(&client, vec![draft("ada@example.com")])
    };
    assert_eq!(
        refusal(send(&world, strange).await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}
