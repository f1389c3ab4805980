//! The whole case against a model that has no steps: where a case stands follows from what has been done. Random deeds of
//! talent, client and reviewers, in any order, must get the answer and lead to the place that the model says.

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use sha2::{Digest, Sha256};
use tonic::Status;
use vouch_primitives::{Clock, RequestId, Uuid};
use vouch_proto::{
    invitation::v1::Plan,
    onboarding::v1::{self as pb, case::State},
};
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::{
    callers::{acme, answered, nda, person, questionnaire, signed},
    changing::{change, review, richer},
    example::{acceptance, activation, fixed_terms},
    world::{SOON, World, refusal},
};

on_both_databases! { cases_go_as_the_model_says }

/// Something that somebody does; a task is named by its place.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Review { stale: bool },
    LeaveProfile,
    Start(usize),
    Submit(usize),
    Claim(usize),
    Approve(usize),
    Reject(usize),
    ConfirmListing,
    VerifyEmail,
    ChangeOffer,
    Accept,
    Decline,
    WaitAMonth,
}

/// One case, from its invitation on.
#[derive(Clone, Debug)]
struct Sequence {
    agency: bool,
    cloud: bool,
    plan: Plan,
    invited_address: bool,
    deeds: Vec<Deed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Todo,
    Started,
    Submitted,
    Claimed,
    Approved,
    Rejected,
}

/// What has been done, and nothing of where that leads.
#[derive(Clone, Debug)]
struct Model {
    agency: bool,
    cloud: bool,
    tasks: Vec<Task>,
    reviewed: bool,
    left: bool,
    listed: bool,
    invited: bool,
    verified: bool,
    version: u32,
    end: Option<State>,
}

type Expected = Result<(), &'static str>;

impl Model {
    fn new(sequence: &Sequence) -> Self {
        Self {
            agency: sequence.agency,
            cloud: sequence.cloud,
            tasks: vec![Task::Todo; tasks_of(sequence.plan)],
            reviewed: false,
            left: false,
            listed: sequence.cloud,
            invited: false,
            verified: sequence.invited_address,
            version: 1,
            end: None,
        }
    }

    fn state(&self) -> State {
        let tasks_open = self.tasks.iter().any(|task| *task != Task::Approved);
        match self.end {
            Some(end) => end,
            None if self.cloud && !self.left => State::BuildProfile,
            None if !self.cloud && !self.reviewed => State::ReviewContract,
            None if tasks_open => State::CompleteTasks,
            None if (self.cloud || self.agency) && !self.verified => State::VerifyEmail,
            None if self.cloud => State::Ready,
            None if self.agency && !self.listed => State::ConfirmListing,
            None => State::AcceptOffer,
        }
    }

    /// Why nothing more can be done about the offer.
    fn offer(&self) -> Expected {
        match self.end {
            _ if self.cloud => Err("NO_OFFER"),
            Some(State::Accepted) => Err("OFFER_ALREADY_ACCEPTED"),
            Some(State::Declined) => Err("OFFER_DECLINED"),
            Some(_) => Err("OFFER_LAPSED"),
            None => Ok(()),
        }
    }

    /// Why a task cannot be worked on; the first one is the talent's, the second the client's.
    fn work(&self, nth: usize) -> Expected {
        match self.state() {
            _ if self.is_over() => Err("CASE_CLOSED"),
            State::ReviewContract | State::BuildProfile if nth == 0 => Err("NOT_YET_AT_TASKS"),
            _ => Ok(()),
        }
    }

    fn is_over(&self) -> bool {
        self.end.is_some() || self.state() == State::Ready
    }

    fn expect(&mut self, deed: Deed) -> Expected {
        let before = self.clone();
        let expected = self.do_it(deed);
        if expected.is_err() {
            *self = before;
        }
        self.invited |= self.state() == State::ConfirmListing;
        expected
    }

    fn do_it(&mut self, deed: Deed) -> Expected {
        match deed {
            Deed::Review { .. } if self.end == Some(State::Accepted) => {}
            Deed::Review { stale } => {
                self.offer()?;
                if stale {
                    return Err("OFFER_CHANGED");
                }
                self.reviewed = true;
            }
            Deed::LeaveProfile if !self.cloud => return Err("NO_PROFILE_STEP"),
            Deed::LeaveProfile => self.left = true,
            Deed::Start(nth) => {
                self.work(nth)?;
                self.tasks[nth] = self.tasks[nth].start()?;
            }
            Deed::Submit(nth) => {
                self.work(nth)?;
                self.tasks[nth] = self.tasks[nth].submit(nth)?;
            }
            Deed::Claim(_) | Deed::Approve(_) | Deed::Reject(_) if self.is_over() => return Err("CASE_CLOSED"),
            Deed::Claim(nth) => self.tasks[nth] = self.tasks[nth].claim()?,
            Deed::Approve(nth) => self.tasks[nth] = self.tasks[nth].decide(Task::Approved)?,
            Deed::Reject(nth) => self.tasks[nth] = self.tasks[nth].decide(Task::Rejected)?,
            Deed::ConfirmListing if !self.invited || (!self.listed && self.end.is_some()) => {
                return Err("NO_AGENCY_INVITATION");
            }
            Deed::ConfirmListing => self.listed = true,
            Deed::VerifyEmail => self.verified = true,
            Deed::ChangeOffer => {
                self.offer()?;
                self.version += 1;
                self.reviewed = false;
            }
            Deed::Accept => {
                self.offer()?;
                match self.state() {
                    State::ReviewContract => return Err("CONTRACT_NOT_REVIEWED"),
                    State::CompleteTasks => return Err("TASKS_OPEN"),
                    State::VerifyEmail => return Err("EMAIL_NOT_VERIFIED"),
                    State::ConfirmListing => return Err("LISTING_NOT_CONFIRMED"),
                    _ => self.end = Some(State::Accepted),
                }
            }
            Deed::Decline if !self.cloud && self.end == Some(State::Declined) => {}
            Deed::Decline => {
                self.offer()?;
                self.end = Some(State::Declined);
            }
            Deed::WaitAMonth => {
                if self.offer().is_ok() {
                    self.end = Some(State::Lapsed);
                }
                for task in self.tasks.iter_mut().filter(|task| **task == Task::Claimed) {
                    *task = Task::Submitted;
                }
            }
        }
        Ok(())
    }
}

impl Task {
    fn start(self) -> Result<Self, &'static str> {
        match self {
            Self::Submitted | Self::Claimed => Err("TASK_UNDER_REVIEW"),
            Self::Approved => Err("TASK_CONFIRMED"),
            Self::Todo | Self::Started | Self::Rejected => Ok(Self::Started),
        }
    }

    /// What the client hands in, nobody looks at.
    fn submit(self, nth: usize) -> Result<Self, &'static str> {
        match self {
            Self::Submitted | Self::Claimed => Err("TASK_UNDER_REVIEW"),
            Self::Approved => Err("TASK_CONFIRMED"),
            Self::Todo | Self::Rejected => Err("TASK_NOT_STARTED"),
            Self::Started if nth == 0 => Ok(Self::Submitted),
            Self::Started => Ok(Self::Approved),
        }
    }

    fn claim(self) -> Result<Self, &'static str> {
        match self {
            Self::Submitted | Self::Claimed => Ok(Self::Claimed),
            _ => Err("TASK_NOT_SUBMITTED"),
        }
    }

    fn decide(self, into: Self) -> Result<Self, &'static str> {
        match self {
            Self::Claimed => Ok(into),
            Self::Submitted => Err("TASK_NOT_CLAIMED"),
            _ => Err("TASK_NOT_SUBMITTED"),
        }
    }
}

/// How many tasks a case of this plan has in this world.
const fn tasks_of(plan: Plan) -> usize {
    match plan {
        Plan::BusinessPlus => 1,
        Plan::Enterprise => 2,
        Plan::Basic | Plan::Unspecified => 0,
    }
}

fn deeds() -> impl Strategy<Value = Deed> {
    let task = 0..2_usize;
    prop_oneof![
        4 => any::<bool>().prop_map(|stale| Deed::Review { stale }),
        3 => Just(Deed::LeaveProfile),
        4 => task.clone().prop_map(Deed::Start),
        4 => task.clone().prop_map(Deed::Submit),
        3 => task.clone().prop_map(Deed::Claim),
        3 => task.clone().prop_map(Deed::Approve),
        1 => task.prop_map(Deed::Reject),
        3 => Just(Deed::ConfirmListing),
        2 => Just(Deed::VerifyEmail),
        1 => Just(Deed::ChangeOffer),
        3 => Just(Deed::Accept),
        1 => Just(Deed::Decline),
        1 => Just(Deed::WaitAMonth),
    ]
}

fn sequences() -> impl Strategy<Value = Sequence> {
    let plans = prop_oneof![Just(Plan::Basic), Just(Plan::BusinessPlus), Just(Plan::Enterprise)];
    let parts = (any::<bool>(), any::<bool>(), plans, any::<bool>(), vec(deeds(), 1..25));
    parts.prop_map(|(agency, cloud, plan, invited_address, mut deeds)| {
        let tasks = tasks_of(plan);
        deeds.retain(|deed| match deed {
            Deed::Start(nth) | Deed::Submit(nth) | Deed::Claim(nth) | Deed::Approve(nth) | Deed::Reject(nth) => {
                *nth < tasks
            }
            _ => true,
        });
        Sequence {
            agency,
            cloud,
            plan,
            invited_address,
            deeds,
        }
    })
}

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
    async fn deed(&self, deed: Deed, model: &Model) -> Result<(), Status> {
        let (world, case, talent) = (self.world, &self.case, person(&self.case.person_id));
        match deed {
            Deed::Review { stale } => {
                let version = if stale { model.version + 1 } else { model.version };
                review(world, case, version).await.map(drop)
            }
            Deed::LeaveProfile => world.leave_profile(case).await.map(drop),
            Deed::Start(0) => world.start(&talent, &self.tasks[0]).await.map(drop),
            Deed::Start(nth) => world.start(&acme(), &self.tasks[nth]).await.map(drop),
            Deed::Submit(0) => world.submit(&talent, &self.tasks[0], answered(true)).await.map(drop),
            Deed::Submit(nth) => world.submit(&acme(), &self.tasks[nth], signed()).await.map(drop),
            Deed::Claim(nth) => world.claim("jo", &self.tasks[nth]).await.map(drop),
            Deed::Approve(nth) => world.approve("jo", &self.tasks[nth]).await.map(drop),
            Deed::Reject(nth) => world.reject("jo", &self.tasks[nth], "Please say more.").await.map(drop),
            Deed::ConfirmListing => {
                let token = self.known_token(
                    "UPDATE agency_invitation SET token_hash = ? WHERE case_id = ?",
                    &case.id,
                );
                world.accept_agency(&token.await).await.map(drop)
            }
            Deed::VerifyEmail => {
                // A link is good for a week.
                let now = world.clock.now().as_micros();
                let token =
                    format!("UPDATE email_verification SET created_at = {now}, token_hash = ? WHERE person_id = ?");
                let token = self.known_token(&token, &case.person_id).await;
                match world.verify(&token).await {
                    // No mail was sent where the token of the invitation had proved the address.
                    Err(_) if model.verified => Ok(()),
                    answer => answer.map(drop),
                }
            }
            Deed::ChangeOffer => {
                let mut terms = richer();
                terms.project_name = format!("version {}", model.version + 1);
                change(world, acme(), case, terms).await.map(drop)
            }
            Deed::Accept => world.accept(acceptance(case, "Hello")).await.map(drop),
            Deed::Decline => world.decline(&case.id, "").await.map(drop),
            Deed::WaitAMonth => {
                world.wait_until(world.clock.now().add_days(31));
                Ok(())
            }
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
        let reason = answer.err().map(|status| refusal::<()>(Err(status)).1);
        if reason.as_deref() != expected.err() {
            return Err(format!("{deed:?} was answered {reason:?}, not {expected:?}"));
        }
        let (state, version) = (model.state(), if model.cloud { 0 } else { model.version });
        let found = |case: &pb::Case| (case.state(), case.offer.as_ref().map_or(0, |offer| offer.version));
        if matches!(deed, Deed::WaitAMonth) {
            eventually("the case", SOON, async || {
                let case = self.world.case(&self.case.id).await;
                let there = found(&case) == (state, version);
                there
                    .then_some(())
                    .ok_or_else(|| format!("{:?}, not {state:?}", case.state()))
            })
            .await;
        }
        let case = self.world.case(&self.case.id).await;
        if found(&case) == (state, version) {
            Ok(())
        } else {
            Err(format!(
                "after {deed:?} the case is {:?}, not {:?}",
                found(&case),
                (state, version)
            ))
        }
    }
}

async fn run(world: &World, sequence: &Sequence) -> Result<(), String> {
    let address = format!("{}@example.com", RequestId::new());
    world.invitations.set_plan(sequence.plan);
    let mut invitation = if sequence.cloud {
        world.invitations.send_to_cloud(&address)
    } else {
        world.invitations.send(&address, fixed_terms())
    };
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
    let mut model = Model::new(sequence);
    assert_eq!((case.state(), tasks.len()), (model.state(), model.tasks.len()));
    let run = Run { world, case, tasks };
    for (nth, deed) in sequence.deeds.iter().enumerate() {
        let outcome = run.check(*deed, &mut model).await;
        outcome.map_err(|how| format!("deed {nth}: {how}"))?;
    }
    Ok(())
}

/// Ten thousand sequences, some hundreds in each world: a server closes connections that have become old.
async fn ten_thousand(engine: Engine) {
    for hundreds in 1..=20 {
        Box::pin(many(TestDatabase::new(engine).await, 500)).await;
        eprintln!("{} sequences on {engine}", 500 * hundreds);
    }
}

/// Goes through so many sequences, and makes the first that fails as short as it can be.
async fn many(database: TestDatabase, count: usize) {
    let world = world(database).await;
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..count {
        let mut tree = sequences().new_tree(&mut runner).expect("a sequence");
        let Err(mut how) = Box::pin(run(&world, &tree.current())).await else {
            continue;
        };
        let mut smallest = tree.current();
        let mut further = tree.simplify();
        while further {
            match Box::pin(run(&world, &tree.current())).await {
                Err(why) => {
                    (how, smallest) = (why, tree.current());
                    further = tree.simplify();
                }
                Ok(()) => further = tree.complicate(),
            }
        }
        panic!("{how}, in {smallest:?}");
    }
    world.stop().await;
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
