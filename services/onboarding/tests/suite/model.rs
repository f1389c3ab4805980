//! The whole case against a model that has no steps: where a case stands follows from what has been done. Random deeds of
//! talent, client and reviewers, in any order, must get the answer and lead to the place that the model says.

mod says;

use futures::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tonic::Status;
use vouch_primitives::{Clock, RequestId, Uuid};
use vouch_proto::{
    invitation::v1::Plan,
    onboarding::v1::{self as pb, case::State},
};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use self::says::{Deed, Model, Sequence, sequences};
use crate::{
    callers::{acme, answered, nda, person, questionnaire, signed},
    changing::{change, review, richer},
    example::{acceptance, activation, fixed_terms},
    world::{SOON, World, refusal},
};

on_both_databases! { cases_go_as_the_model_says }

/// How many sequences go on side by side.
const AT_ONCE: usize = 20;

/// A world in which one plan requires nothing, one a task of the talent, one a task of each.
async fn world(database: TestDatabase) -> World {
    let world = World::new(database).await;
    for plan in [Plan::BusinessPlus, Plan::Enterprise] {
        let mut own = questionnaire();
        own.set_plan(plan);
        own.valid_days = 0;
        world.require(own).await;
    }
    let mut of_client = nda();
    of_client.set_plan(Plan::Enterprise);
    of_client.set_owner(pb::TaskOwner::Client);
    world.require(of_client).await;
    world
}

/// One run through a sequence: what differs from the model, if anything does.
struct Run<'a> {
    world: &'a World,
    case: pb::Case,
    tasks: Vec<pb::Task>,
}

impl Run<'_> {
    /// Does it; most deeds are answered with the case.
    async fn deed(&self, deed: Deed, model: &Model) -> Result<Option<pb::Case>, Status> {
        let (world, case, talent) = (self.world, &self.case, person(&self.case.person_id));
        match deed {
            Deed::Review { stale } => {
                let version = if stale { model.version + 1 } else { model.version };
                review(world, case, version).await.map(Some)
            }
            Deed::LeaveProfile => world.leave_profile(case).await.map(Some),
            Deed::Start(0) => world.start(&talent, &self.tasks[0]).await.map(|_| None),
            Deed::Start(nth) => world.start(&acme(), &self.tasks[nth]).await.map(|_| None),
            Deed::Submit(0) => world
                .submit(&talent, &self.tasks[0], answered(true))
                .await
                .map(|_| None),
            Deed::Submit(nth) => world.submit(&acme(), &self.tasks[nth], signed()).await.map(|_| None),
            Deed::Claim(nth) => world.claim("jo", &self.tasks[nth]).await.map(|_| None),
            Deed::Approve(nth) => world.approve("jo", &self.tasks[nth]).await.map(|_| None),
            Deed::Reject(nth) => world
                .reject("jo", &self.tasks[nth], "Please say more.")
                .await
                .map(|_| None),
            Deed::ConfirmListing => {
                let token = self.known_token(
                    "UPDATE agency_invitation SET token_hash = ? WHERE case_id = ?",
                    &case.id,
                );
                world.accept_agency(&token.await).await.map(Some)
            }
            Deed::VerifyEmail => {
                // A link is good for a week.
                let now = world.clock.now().as_micros();
                let token =
                    format!("UPDATE email_verification SET created_at = {now}, token_hash = ? WHERE person_id = ?");
                let token = self.known_token(&token, &case.person_id).await;
                match world.verify(&token).await {
                    // No mail was sent where the token of the invitation had proved the address.
                    Err(_) if model.verified => Ok(None),
                    answer => answer.map(|_| None),
                }
            }
            Deed::ChangeOffer => {
                let mut terms = richer();
                terms.project_name = format!("version {}", model.version + 1);
                change(world, acme(), case, terms).await.map(Some)
            }
            Deed::Accept => world.accept(acceptance(case, "Hello")).await.map(Some),
            Deed::Decline => world.decline(&case.id, "").await.map(Some),
            Deed::WaitAMonth => unreachable!("time is everybody's"),
        }
    }

    /// Puts a token that the test knows in place of the one that only the e-mail has.
    async fn known_token(&self, update: &str, whose: &str) -> String {
        let token = RequestId::new().to_string();
        let hash = Sha256::digest(&token).to_vec();
        let whose = Uuid::parse_str(whose).expect("an id");
        self.world
            .execute(update, [hash.into(), whose.into()])
            .await
            .expect("a token");
        token
    }

    async fn check(&self, deed: Deed, model: &mut Model) -> Result<(), String> {
        let expected = model.clone().expect(deed);
        let answer = self.deed(deed, model).await;
        model.expect(deed).unwrap_or_default();
        let (case, reason) = match answer {
            Ok(case) => (case, None),
            Err(status) => (None, Some(refusal::<()>(Err(status)).1)),
        };
        if reason.as_deref() != expected.err() {
            return Err(format!("{deed:?} was answered {reason:?}, not {expected:?}"));
        }
        let found = match (case, reason) {
            (Some(case), _) => stands(&case),
            (None, None) => self.found().await,
            // What was refused has changed nothing: the next look will show.
            (None, Some(_)) => return Ok(()),
        };
        self.compare(found, model)
            .map_err(|how| format!("after {deed:?} {how}"))
    }

    fn compare(&self, found: (State, u32), model: &Model) -> Result<(), String> {
        let expected = expected_of(model);
        if found == expected {
            Ok(())
        } else {
            Err(format!("the case {} is {found:?}, not {expected:?}", self.case.id))
        }
    }

    /// A month has gone by: what follows from that comes by itself.
    async fn month_later(&self, model: &mut Model) {
        model.expect(Deed::WaitAMonth).unwrap_or_default();
        eventually("the case", SOON, async || {
            let (found, expected) = (self.found().await, expected_of(model));
            let there = found == expected;
            there
                .then_some(())
                .ok_or_else(|| format!("{found:?}, not {expected:?}"))
        })
        .await;
    }

    async fn found(&self) -> (State, u32) {
        stands(&self.world.case(&self.case.id).await)
    }
}

fn stands(case: &pb::Case) -> (State, u32) {
    (case.state(), case.offer.as_ref().map_or(0, |offer| offer.version))
}

fn expected_of(model: &Model) -> (State, u32) {
    (model.state(), if model.cloud { 0 } else { model.version })
}

/// A sequence on its way: one goes on until it waits for a month, or has come to its end.
struct Walk<'a> {
    run: Run<'a>,
    model: Model,
    deeds: std::vec::IntoIter<Deed>,
}

impl<'a> Walk<'a> {
    async fn begin(world: &'a World, sequence: &Sequence) -> Result<Self, String> {
        let address = format!("{}@example.com", RequestId::new());
        let mut invitation = if sequence.cloud {
            world.invitations.send_to_cloud(&address)
        } else {
            world.invitations.send(&address, fixed_terms())
        };
        world.invitations.set_plan_of(&invitation, sequence.plan);
        let given = if sequence.invited_address {
            address
        } else {
            format!("own-{address}")
        };
        let mut request = activation(&invitation, &given);
        if sequence.agency {
            invitation = world.invitations.of_agency(invitation);
            request = activation(&invitation, &given);
            "Analytical Engines".clone_into(&mut request.agency_name);
        }
        let activated = world.activate(request).await.map_err(|status| status.to_string())?;
        let case = activated.case.expect("a case");
        let tasks = world.tasks_of(&case.id).await;
        let model = Model::new(sequence);
        assert_eq!((case.state(), tasks.len()), (model.state(), model.tasks.len()));
        Ok(Self {
            run: Run { world, case, tasks },
            model,
            deeds: sequence.deeds.clone().into_iter(),
        })
    }

    /// Goes on, and tells whether it now waits for a month.
    async fn go_on(&mut self) -> Result<bool, String> {
        while let Some(deed) = self.deeds.next() {
            if matches!(deed, Deed::WaitAMonth) {
                self.look().await?;
                return Ok(true);
            }
            let outcome = self.run.check(deed, &mut self.model).await;
            outcome.map_err(|how| format!("{how}, and then {:?}", self.deeds.as_slice()))?;
        }
        self.look().await?;
        Ok(false)
    }

    /// Looks where the case stands, as a reader of it would.
    async fn look(&self) -> Result<(), String> {
        self.run.compare(self.run.found().await, &self.model)
    }
}

/// Goes through all of these at once, as people do; the months go by when each of them waits or is at its end, so that
/// to each of them they come when its own deeds say. Returns which one differs from the model, and how.
async fn run(world: &World, sequences: &[Sequence]) -> Result<(), (usize, String)> {
    let begun = join_all(sequences.iter().map(|sequence| Walk::begin(world, sequence))).await;
    let begun = begun.into_iter().enumerate();
    let mut walks = begun
        .map(|(at, walk)| Ok((at, walk.map_err(|how| (at, how))?)))
        .collect::<Result<Vec<_>, _>>()?;
    while !walks.is_empty() {
        let gone = join_all(walks.into_iter().map(async |(at, mut walk)| match walk.go_on().await {
            Ok(waits) => Ok(waits.then_some((at, walk))),
            Err(how) => Err((at, how)),
        }));
        walks = gone
            .await
            .into_iter()
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        world.wait_until(world.clock.now().add_days(31));
        join_all(walks.iter_mut().map(|(_, walk)| walk.run.month_later(&mut walk.model))).await;
    }
    Ok(())
}

/// Ten thousand sequences, some hundreds in each world: a server closes connections that have become old.
async fn ten_thousand(engine: Engine) {
    let began = Instant::now();
    for hundreds in 1..=20 {
        Box::pin(many(TestDatabase::new(engine).await, 500)).await;
        let took = began.elapsed().as_secs();
        eprintln!("{} sequences on {engine} in {took} s", 500 * hundreds);
    }
}

/// Goes through so many sequences, and makes the first that fails as short as it can be.
async fn many(database: TestDatabase, count: usize) {
    let world = world(database).await;
    let mut runner = TestRunner::new(Config::default());
    let mut left = count;
    while left > 0 {
        let some = left.min(AT_ONCE);
        left -= some;
        let mut trees: Vec<_> = (0..some)
            .map(|_| sequences().new_tree(&mut runner).expect("a sequence"))
            .collect();
        let drawn: Vec<_> = trees.iter().map(ValueTree::current).collect();
        if let Err((at, how)) = Box::pin(run(&world, &drawn)).await {
            Box::pin(shorten(&world, trees.swap_remove(at), how)).await;
        }
    }
    world.stop().await;
}

/// Makes a sequence that failed, now alone, as short as it can be.
async fn shorten(world: &World, mut tree: impl ValueTree<Value = Sequence>, mut how: String) -> ! {
    let mut smallest = tree.current();
    let mut further = true;
    while further {
        match Box::pin(run(world, &[tree.current()])).await {
            Err((_, why)) => {
                (how, smallest) = (why, tree.current());
                further = tree.simplify();
            }
            Ok(()) => further = tree.complicate(),
        }
    }
    panic!("{how}, in {smallest:?}");
}

// B17, B20, B23, B24, B25, B26, B29, B33, B34, B38, B40, B42, B45, B47, B49, B52
async fn cases_go_as_the_model_says(database: TestDatabase) {
    Box::pin(many(database, 40)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ten thousand cases"]
async fn long_ten_thousand_cases_on_sqlite() {
    Box::pin(ten_thousand(Engine::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ten thousand cases"]
async fn long_ten_thousand_cases_on_postgres() {
    Box::pin(ten_thousand(Engine::Postgres)).await;
}
