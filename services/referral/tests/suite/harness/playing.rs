//! What people do with the programme, and what they see of it.

use std::time::Duration;

use tonic::Status;
use vouch_messaging::{Bus, Envelope, Subscription};
use vouch_primitives::{ClientId, ContractId, RequestId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{AccountClosed, AccountRegistered, AccountReopened},
    payments::v1::{ContractEnded, ContractStarted},
    referral::v1::{
        self as pb, client_programme_service_client::ClientProgrammeServiceClient,
        dashboard_service_client::DashboardServiceClient, programme_service_client::ProgrammeServiceClient,
        screening_service_client::ScreeningServiceClient,
    },
};
use vouch_runtime::access::Signed;

use vouch_proto::payments::v1::RewardPosting;

use super::{Earning, House, Person, Rosa, at, envelope, minor, usd};

/// A contract with a client.
#[derive(Clone, Copy)]
pub struct Job {
    pub client: ClientId,
    pub contract: ContractId,
}

impl Job {
    pub fn new() -> Self {
        Self {
            client: ClientId::new(),
            contract: ContractId::new(),
        }
    }
}

impl Earning {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, as if somebody else had earned it.
    pub fn said_of(&self, person: &Person) -> Self {
        Self {
            id: self.id.clone(),
            person: person.clone(),
            ..*self
        }
    }
}

impl House {
    pub fn registration_at(&self, joined: Timestamp, person: &Person, code: &str) -> Envelope {
        envelope(&AccountRegistered {
            person_id: person.id.clone(),
            account_id: person.account.clone(),
            register_time: Some(to_wire_time(joined)),
            referral_code: code.to_owned(),
            ..AccountRegistered::default()
        })
    }

    /// Something is done to the database that no program does.
    pub async fn tamper(&self, sql: &'static str) {
        let change = |txn: std::sync::Arc<vouch_storage::Txn>| async move {
            sea_orm::ConnectionTrait::execute_unprepared(&*txn, sql).await?;
            Ok::<_, vouch_storage::StorageError>(())
        };
        self.db.write_tx(change).await.expect("changed");
    }

    /// The sum of a column.
    pub async fn sum(&self, table: &str, column: &str) -> i64 {
        let sql = format!("SELECT CAST(COALESCE(SUM({column}), 0) AS bigint) FROM {table}");
        let rows = vouch_testkit::tables::rows(&self.db, sql).await;
        rows[0].try_get_by_index(0).expect("a sum")
    }

    /// What was released to all in US dollars, as the metric tells it.
    pub async fn released_to_all(&self) -> i64 {
        let all = vouch_referral::store::ties::released_to_all(self.db.reader()).await;
        all.expect("summed up")
            .get(&vouch_primitives::Currency::USD)
            .map_or(0, |all| all.minor)
    }

    /// What the others have told of these types, as their streams hold it.
    pub async fn streamed(&self, event_types: &[String]) -> Vec<Envelope> {
        let mut events = Vec::new();
        for producer in ["payments", "onboarding"] {
            let from = Subscription {
                producer: format!("vouch.{producer}"),
                stream: format!("VOUCH_{}", producer.to_uppercase()),
                durable: format!("auditor of run {}", RequestId::new()),
                subjects: event_types.to_vec(),
            };
            let pulled = self.bus.pull(&from, usize::MAX, Duration::ZERO).await.expect("pulled");
            events.extend(pulled.into_iter().map(|delivery| delivery.event.expect("well formed")));
        }
        events
    }

    /// What payments says that it has posted in all.
    pub fn has_posted(&self, postings: Vec<RewardPosting>) {
        *self.posted.lock().expect("no panic") = postings;
    }

    pub fn programme(&self) -> ProgrammeServiceClient<Signed> {
        ProgrammeServiceClient::new(self.channel.clone())
    }

    pub fn screening(&self) -> ScreeningServiceClient<Signed> {
        ScreeningServiceClient::new(self.channel.clone())
    }

    /// The standard terms are in force from now on.
    pub async fn publish_standard(&self) {
        self.publish_terms(|_| ()).await;
    }

    /// The standard terms, changed a little, are in force from now on.
    pub async fn publish_terms(&self, change: impl Fn(&mut pb::Terms)) -> pb::Terms {
        self.try_publish("", change).await.expect("fit")
    }

    pub async fn try_publish(&self, words: &str, change: impl Fn(&mut pb::Terms)) -> Result<pb::Terms, Status> {
        let usd = |minor| Some(vouch_primitives::Money::new(minor, vouch_primitives::Currency::USD).into());
        let mut terms = pb::Terms {
            lifetime_basis_points: 500,
            bonus_basis_points: 1_000,
            window_months: 3,
            bonus_basis: i32::from(pb::terms::BonusBasis::RefereeEarningsInWindow),
            agency_basis_points: 500,
            introduction_basis_points: 500,
            sign_up_bonuses: vec![pb::terms::SignUpBonus {
                amount: usd(10_000),
                qualifying_earnings: usd(50_000),
                cap: usd(500_000),
                referee_benefit: None,
            }],
            hold_days: 14,
            screened: true,
            service_fee_basis_points: 1_000,
            ..pb::Terms::default()
        };
        change(&mut terms);
        let request = pb::PublishTermsRequest {
            request_id: RequestId::new().to_string(),
            terms: Some(terms),
            accepted_loss: words.to_owned(),
        };
        let published = self.programme().publish_terms(request).await?;
        Ok(published.into_inner().terms.expect("terms"))
    }

    /// Whether the rule passes whoever was hired.
    pub async fn set_rule(&self, enabled: bool) {
        let request = pb::SetScreeningRuleRequest {
            request_id: RequestId::new().to_string(),
            rule: Some(pb::ScreeningRule {
                name: "HIRED".to_owned(),
                hired: true,
                unrelated: true,
                enabled,
            }),
        };
        self.screening().set_screening_rule(request).await.expect("set");
    }

    pub async fn pass(&self, person: &Person) {
        let request = pb::PassScreeningCaseRequest {
            request_id: RequestId::new().to_string(),
            person_id: person.id.clone(),
            reason: String::new(),
        };
        self.screening().pass_screening_case(request).await.expect("passed");
    }

    pub async fn reject(&self, person: &Person) {
        let request = pb::RejectScreeningCaseRequest {
            request_id: RequestId::new().to_string(),
            person_id: person.id.clone(),
            reason: "Nobody of that name".to_owned(),
        };
        self.screening().reject_screening_case(request).await.expect("rejected");
    }

    /// A referrer's standing changes.
    pub async fn stands(&self, rosa: &Rosa, from: &str, good: bool) {
        let (request_id, referrer_id) = (RequestId::new().to_string(), rosa.id.clone());
        let (reason, from_time) = ("Looked into".to_owned(), Some(to_wire_time(at(from))));
        if good {
            let request = pb::ReinstateReferrerRequest {
                request_id,
                referrer_id,
                reason,
                from_time,
            };
            self.programme().reinstate_referrer(request).await.expect("reinstated");
        } else {
            let request = pb::SuspendReferrerRequest {
                request_id,
                referrer_id,
                reason,
                from_time,
            };
            self.programme().suspend_referrer(request).await.expect("suspended");
        }
    }

    pub async fn relate(&self, person: &Person, client: ClientId) {
        let request = pb::RelatePartiesRequest {
            request_id: RequestId::new().to_string(),
            person_id: person.id.clone(),
            client_id: client.to_string(),
            reason: "One bank account".to_owned(),
        };
        self.programme().relate_parties(request).await.expect("noted");
    }

    /// An account is closed or opened again, and the news arrives.
    pub async fn account(&self, person: &Person, when: &str, open: bool) {
        let (person_id, time) = (person.id.clone(), Some(to_wire_time(at(when))));
        let event = match open {
            true => envelope(&AccountReopened {
                person_id,
                reopen_time: time,
            }),
            false => envelope(&AccountClosed {
                person_id,
                close_time: time,
            }),
        };
        self.publish(&[event]).await;
        self.quiet().await;
    }

    /// Somebody has registered without a code.
    pub async fn known(&self, person: &Person) {
        self.registered(person, "").await;
        self.quiet().await;
    }

    /// Rosa has worked for a client.
    pub async fn works(&self, rosa: &Rosa, client: ClientId) {
        let person = Person {
            id: rosa.person.clone(),
            account: rosa.account.clone(),
        };
        let job = Job {
            client,
            contract: ContractId::new(),
        };
        self.publish(&[self.started(&person, job, "2026-01-01")]).await;
        self.quiet().await;
    }

    pub async fn introduce(
        &self,
        rosa: &Rosa,
        payee: &Person,
        client: ClientId,
        kind: pb::ReferralKind,
    ) -> Result<pb::Introduction, Status> {
        let request = pb::IntroduceRequest {
            request_id: RequestId::new().to_string(),
            referrer_id: rosa.id.clone(),
            kind: i32::from(kind),
            account_id: payee.account.clone(),
            client_id: client.to_string(),
            message: "You should meet".to_owned(),
        };
        let introduced = self.programme().introduce(request).await?;
        Ok(introduced.into_inner().introduction.expect("an introduction"))
    }

    pub async fn introduction(&self, rosa: &Rosa, id: &str) -> pb::Introduction {
        let all = self.introductions(rosa).await;
        all.into_iter().find(|it| it.id == id).expect("there")
    }

    pub fn started(&self, person: &Person, job: Job, when: &str) -> Envelope {
        envelope(&ContractStarted {
            contract_id: job.contract.to_string(),
            client_id: job.client.to_string(),
            person_id: person.id.clone(),
            account_id: person.account.clone(),
            begin_time: Some(to_wire_time(at(when))),
            ..ContractStarted::default()
        })
    }

    pub fn ended(&self, person: &Person, job: Job, when: &str) -> Envelope {
        envelope(&ContractEnded {
            contract_id: job.contract.to_string(),
            client_id: job.client.to_string(),
            person_id: person.id.clone(),
            account_id: person.account.clone(),
            end_time: Some(to_wire_time(at(when))),
            ..ContractEnded::default()
        })
    }

    pub fn earning_of(&self, person: &Person, job: Job, amount: i64, occurred_at: &str) -> Earning {
        Earning {
            job,
            ..self.earning(person, amount, occurred_at)
        }
    }

    /// Why an earning pays Rosa, or does not: one verdict for each kind of reward.
    pub async fn verdicts(&self, rosa: &Rosa, earning: &Earning) -> Vec<pb::EarningVerdict> {
        let request = pb::ExplainEarningRequest {
            referrer_id: rosa.id.clone(),
            earning_id: earning.id.clone(),
        };
        let explained = self
            .programme()
            .explain_earning(request)
            .await
            .expect("explained")
            .into_inner();
        explained.outcomes.iter().map(pb::EarningOutcome::verdict).collect()
    }

    /// Rosa appeals against the rejection of whoever a tie is about.
    pub async fn appeal(&self, tie: &str) -> Result<(), Status> {
        let request = pb::AppealScreeningRequest {
            request_id: RequestId::new().to_string(),
            attribution_id: tie.to_owned(),
            message: "They are real".to_owned(),
        };
        self.screening().appeal_screening(request).await.map(drop)
    }

    pub fn client_programmes(&self) -> ClientProgrammeServiceClient<Signed> {
        ClientProgrammeServiceClient::new(self.channel.clone())
    }

    pub fn dashboard(&self) -> DashboardServiceClient<Signed> {
        DashboardServiceClient::new(self.channel.clone())
    }

    /// A client opens a programme: so much for each introduction that came to a contract, and so much in all.
    pub async fn open_programme(
        &self,
        client: ClientId,
        (reward, budget): (i64, i64),
        qualification: pb::terms::Qualification,
    ) -> Result<pb::ClientProgramme, Status> {
        let request = pb::OpenClientProgrammeRequest {
            request_id: RequestId::new().to_string(),
            client_id: client.to_string(),
            reward: usd(reward),
            qualification: i32::from(qualification),
            hold_days: 0,
            budget: usd(budget),
        };
        let opened = self.client_programmes().open_client_programme(request).await?;
        Ok(opened.into_inner().programme.expect("a programme"))
    }

    /// What a client has granted so far, of its newest programme.
    pub async fn granted(&self, client: ClientId) -> i64 {
        let request = pb::ListClientProgrammesRequest {
            client_id: client.to_string(),
            ..Default::default()
        };
        let listed = self.client_programmes().list_client_programmes(request).await;
        let newest = listed.expect("a page").into_inner().programmes.remove(0);
        minor(&newest.granted)
    }

    /// Somebody whom Rosa introduces to a client.
    pub async fn introduced(&self, rosa: &Rosa, client: ClientId) -> (Person, String) {
        let payee = Person::new();
        self.known(&payee).await;
        let introduced = self
            .introduce(rosa, &payee, client, pb::ReferralKind::ClientIntroduction)
            .await;
        (payee, introduced.expect("introduced").id)
    }

    /// Rosa's agency enrols.
    pub async fn agency_of(&self, rosa: &Rosa) -> Rosa {
        let owner = Person {
            id: rosa.person.clone(),
            account: rosa.account.clone(),
        };
        let enrolled = self.enrol(&self.agency(&owner).await).await.expect("enrolled");
        Rosa {
            id: enrolled.id,
            account: enrolled.account_id,
            person: owner.id,
            code: enrolled.code,
        }
    }

    /// What Rosa has introduced.
    pub async fn introductions(&self, rosa: &Rosa) -> Vec<pb::Introduction> {
        let request = pb::ListIntroductionsRequest {
            referrer_id: rosa.id.clone(),
            page_size: 100,
            page_token: String::new(),
        };
        let all = self.programme().list_introductions(request).await.expect("a page");
        all.into_inner().introductions
    }

    pub async fn whole_total(&self, rosa: &Rosa, person: &Person) -> pb::AttributionTotal {
        self.only_total(rosa, person).await
    }
}
