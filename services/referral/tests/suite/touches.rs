//! Clicks on links.

use futures::future::join_all;
use tonic::Code;
use vouch_primitives::RequestId;
use vouch_proto::referral::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{JOINED, harness::House};

on_both_databases! {
    many_clicks_at_once_are_all_stored_and_each_is_stored_once,
    a_click_on_nothing_is_answered_like_any_other,
    too_many_clicks_are_refused,
}

pub fn touch(code: &str, visitor: &str) -> pb::RecordTouchRequest {
    pb::RecordTouchRequest {
        request_id: RequestId::new().to_string(),
        code: code.to_owned(),
        visitor_id: visitor.to_owned(),
        ..Default::default()
    }
}

/// Somebody clicks on the link of a code; what their cookie holds from then on.
pub async fn click(house: &House, code: &str, visitor: &str) -> String {
    let answer = house.attributing().record_touch(touch(code, visitor)).await;
    answer.expect("stored").into_inner().visitor_id
}

async fn many_clicks_at_once_are_all_stored_and_each_is_stored_once(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let clicks: Vec<_> = (0..300).map(|_| touch(&rosa.code, "")).collect();
    let calls = clicks.iter().chain(&clicks).map(|click| {
        let mut client = house.attributing();
        async move {
            client
                .record_touch(click.clone())
                .await
                .expect("stored")
                .into_inner()
                .visitor_id
        }
    });
    let visitors = join_all(calls).await;
    assert_eq!(visitors[..300], visitors[300..], "the same click is the same visitor's");
    assert_eq!(house.count("touch").await, 300);
}

async fn a_click_on_nothing_is_answered_like_any_other(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let visitor = click(&house, "NOBODYSCODE", "").await;
    assert_eq!(visitor.len(), 32);
    assert_eq!(house.count("touch").await, 0);
    let unknown = pb::RecordTouchRequest {
        link_id: RequestId::new().to_string(),
        ..touch(&rosa.code, "")
    };
    house.attributing().record_touch(unknown).await.expect("stored");
    assert_eq!(house.count("touch").await, 1, "the code counts without the link");
}

async fn too_many_clicks_are_refused(database: TestDatabase) {
    let settings = [("LIMITS__TOUCHES_PER_VISITOR", "2".to_owned())];
    let house = House::start_with(&database, JOINED, &settings).await;
    let rosa = house.referrer().await;
    for code in [&*rosa.code, "NOBODYSCODE"] {
        let visitor = format!("visitor-of-{}", code.to_lowercase());
        for _ in 0..2 {
            click(&house, code, &visitor).await;
        }
        let refused = house
            .attributing()
            .record_touch(touch(code, &visitor))
            .await
            .expect_err("too many");
        assert_eq!(
            (refused.code(), &*house.reason(&refused)),
            (Code::ResourceExhausted, "TOUCH_LIMIT_REACHED")
        );
    }
    house.move_clock("2026-01-15T12:01:00Z").await;
    click(&house, &rosa.code, "visitor-of-nobodyscode").await;
}
