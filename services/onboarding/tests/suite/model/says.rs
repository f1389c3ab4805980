//! What should become of a case, from what has been done alone, and what may be done.

use proptest::{collection::vec, prelude::*};
use vouch_proto::{invitation::v1::Plan, onboarding::v1::case::State};

/// Something that somebody does; a task is named by its place.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
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
pub struct Sequence {
    pub agency: bool,
    pub cloud: bool,
    pub plan: Plan,
    pub invited_address: bool,
    pub deeds: Vec<Deed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Todo,
    Started,
    Submitted,
    Claimed,
    Approved,
    Rejected,
}

/// What has been done, and nothing of where that leads.
#[derive(Clone, Debug)]
pub struct Model {
    pub agency: bool,
    pub cloud: bool,
    pub tasks: Vec<Task>,
    reviewed: bool,
    left: bool,
    listed: bool,
    invited: bool,
    pub verified: bool,
    pub version: u32,
    end: Option<State>,
}

pub type Expected = Result<(), &'static str>;

impl Model {
    pub fn new(sequence: &Sequence) -> Self {
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

    pub fn state(&self) -> State {
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

    pub fn expect(&mut self, deed: Deed) -> Expected {
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
pub const fn tasks_of(plan: Plan) -> usize {
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

pub fn sequences() -> impl Strategy<Value = Sequence> {
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
