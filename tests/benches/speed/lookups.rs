//! Looking tokens up: whoever has one must not learn from the time what became of it.

use std::sync::Arc;

use tokio::time::Instant;
use vouch_messaging::{Bus, MemoryBus};
use vouch_primitives::{Clock, Money, RequestId, SystemClock};
use vouch_proto::invitation::v1::{LookUpInvitationRequest, WithdrawInvitationRequest};
use vouch_suite::{Error, World};
use vouch_testkit::Engine;

use crate::report::micros;

/// What became of a token. The last one opens something.
pub const KINDS: [&str; 4] = ["unknown", "used", "withdrawn", "open"];

/// How long each of `count` look-ups takes, by kind and in ascending order. They take turns, so that whatever else the
/// machine does meets all kinds alike.
pub async fn times(engine: Engine, count: usize) -> Result<[Vec<u64>; KINDS.len()], Error> {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::faultless());
    let world = Box::pin(World::start(engine, &bus, SystemClock.now())).await?;
    let story = world.story()?;
    let tokens = Box::pin(tokens(&story)).await?;
    let mut times = KINDS.map(|_| Vec::with_capacity(count));
    for nth in 0..count {
        for turn in 0..KINDS.len() {
            let kind = (nth + turn) % KINDS.len();
            let request = LookUpInvitationRequest {
                token: tokens[kind].clone(),
            };
            let begin = Instant::now();
            let answer = story.clients.invitations.clone().look_up_invitation(request).await;
            times[kind].push(micros(begin.elapsed()));
            if answer.is_ok() != (KINDS[kind] == "open") {
                return Err(format!("a token that is {}: {answer:?}", KINDS[kind]).into());
            }
        }
    }
    world.stop().await?;
    times.iter_mut().for_each(|of_kind| of_kind.sort_unstable());
    Ok(times)
}

/// One token of each kind.
async fn tokens(story: &vouch_suite::Story) -> Result<[String; KINDS.len()], Error> {
    let now = story.clock.now().await?;
    let amount = Money::new(100_000, "USD".parse()?);
    let company = story.company("Harbour", "Henri", "henri@harbour.example").await?;
    let mut tokens = ["x".repeat(43), String::new(), String::new(), String::new()];
    for (kind, token) in KINDS.iter().zip(&mut tokens).skip(1) {
        let email = format!("{kind}@talent.example");
        let invitation = story.invite(&company, kind, &email, ("Logo", amount), now).await?;
        story.clock.settle().await?;
        *token = story.mailbox.token(&email)?;
        match *kind {
            "used" => drop(story.activate(kind, &email, "").await?),
            "withdrawn" => {
                let request = WithdrawInvitationRequest {
                    request_id: RequestId::new().to_string(),
                    invitation_id: invitation.id,
                };
                story.clients.invitations.clone().withdraw_invitation(request).await?;
            }
            _ => {}
        }
    }
    story.clock.settle().await?;
    Ok(tokens)
}
