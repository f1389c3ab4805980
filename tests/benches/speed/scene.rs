//! Who vouched for whom, and what they earned: the same in every run.

use prost_reflect::prost::{Message, Name};
use vouch_messaging::Envelope;
use vouch_primitives::{
    AccountId, AttributionId, ClientId, Clock, ContractId, Currency, EarningId, EventId, Money, PersonId, ReferrerId,
    SystemClock, Timestamp,
};
use vouch_proto::{convert::to_wire_time, payments::v1::EarningSettled};
use vouch_referral::{
    domain::{
        Attribution, Bond, BonusState, Party, ReferralCode, ReferralKind, Screening, SignUp, Standing, Suspicion,
        Terms, Tie,
    },
    store::{accounts, people, referrers, ties},
};
use vouch_storage::{Db, StorageError};
use vouch_suite::Error;

/// What each earning is worth, and what each releases.
pub const AMOUNT: i64 = 20_000;
pub const SHARE: i64 = 1_000;

/// Referees for each referrer.
const EACH: usize = 10;

pub struct Scene {
    now: Timestamp,
    referrers: Vec<referrers::Referrer>,
    pub ties: Vec<Tie>,
}

impl Scene {
    /// The code of one of the referrers.
    pub fn code(&self) -> Option<ReferralCode> {
        self.referrers.first().map(|referrer| referrer.code.clone())
    }

    /// So many referees, who all joined a year ago: their bonus windows are over, and every earning releases a share.
    pub fn new(referees: usize) -> Self {
        let now = SystemClock.now();
        let joined = Timestamp::from_micros(now.as_micros() - 365 * 86_400 * 1_000_000);
        let referrers: Vec<_> = (0..referees.div_ceil(EACH))
            .map(|number| referrers::Referrer {
                id: ReferrerId::new(),
                person: PersonId::new(),
                account: AccountId::new(),
                code: ReferralCode::from_random(u64::try_from(number).unwrap_or(0)),
                enrolled_at: joined,
            })
            .collect();
        let ties = (0..referees)
            .map(|number| {
                let referrer = &referrers[number / EACH];
                let referee = PersonId::new();
                let bond = Attribution {
                    kind: ReferralKind::Friend,
                    joined,
                    bonus: BonusState::Open,
                    hired: true,
                    sign_up: SignUp::Open,
                    account: Some(AccountId::new()),
                };
                Tie {
                    id: AttributionId::derived(referee.as_uuid(), "tie").as_uuid(),
                    referrer: referrer.id,
                    payee: referee,
                    account: referrer.account,
                    bond: Bond::Attribution(bond),
                    terms: vec![(joined, Terms::first().into())],
                    standing: Standing::default(),
                    related: Vec::new(),
                    screening: Screening::Open,
                    suspicion: Suspicion::None,
                    rewards: std::collections::BTreeMap::new(),
                }
            })
            .collect();
        Self { now, referrers, ties }
    }

    /// Writes them into the database of referral, which has been prepared.
    pub async fn write(&self, db: &Db) -> Result<(), Error> {
        db.write_tx(|txn| async move {
            let everybody = self.referrers.iter().map(|one| one.person);
            let everybody = everybody.chain(self.ties.iter().map(|tie| tie.payee)).collect();
            people::ensure(&txn, &everybody).await?;
            let owned: Vec<_> = self
                .referrers
                .iter()
                .map(|one| accounts::Account {
                    id: one.account,
                    party: Party::Person,
                    person: one.person,
                    registered_at: one.enrolled_at,
                    typed_code: String::new(),
                })
                .collect();
            accounts::insert(&txn, &owned).await?;
            for referrer in &self.referrers {
                referrers::insert(&txn, referrer).await?;
            }
            ties::insert(&txn, self.now, &self.ties).await?;
            Ok::<_, StorageError>(())
        })
        .await?;
        Ok(())
    }

    /// So many settled earnings, of one referee after the other.
    pub fn earnings(&self, count: usize) -> Vec<Envelope> {
        (0..count).map(|number| self.earning(number)).collect()
    }

    /// The earning of that number.
    pub fn earning(&self, number: usize) -> Envelope {
        let tie = self.tie(number);
        Envelope {
            id: EventId::new(),
            event_type: EarningSettled::full_name(),
            source: "/vouch/payments".to_owned(),
            time: self.now,
            aggregate_id: tie.payee.as_uuid(),
            payload: self.settled(tie).encode_to_vec().into(),
            traceparent: None,
        }
    }

    /// Whose earning that is. The stride shares no factor with the number of referees, so that it visits all of them.
    pub fn tie(&self, number: usize) -> &Tie {
        &self.ties[number * 7_919 % self.ties.len()]
    }

    /// An earning of the referee of that tie.
    pub fn settled(&self, tie: &Tie) -> EarningSettled {
        EarningSettled {
            earning_id: EarningId::new().to_string(),
            contract_id: ContractId::derived(tie.payee.as_uuid(), "contract").to_string(),
            client_id: ClientId::derived(tie.payee.as_uuid(), "client").to_string(),
            person_id: tie.payee.to_string(),
            account_id: AccountId::derived(tie.payee.as_uuid(), "account").to_string(),
            amount: Some(Money::new(AMOUNT, Currency::USD).into()),
            occur_time: Some(to_wire_time(self.now)),
            settle_time: Some(to_wire_time(self.now)),
        }
    }
}
