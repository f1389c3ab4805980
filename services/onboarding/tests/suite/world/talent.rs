//! What a test says to the service of profiles, and as whom.

use sea_orm::{ConnectionTrait, Statement, Value};
use tonic::{Code, Status, transport::Channel};
use vouch_onboarding::store::search;
use vouch_primitives::{AccountId, PersonId};
use vouch_proto::{
    common::v1::Money,
    onboarding::v1::{
        self as pb, document_service_client::DocumentServiceClient, profile_service_client::ProfileServiceClient,
        save_section_request::Section,
    },
};
use vouch_runtime::access::{Caller, Signed, Signer};
use vouch_storage::StorageError;

use super::World;
use crate::example::{basic_information, registration, request_id};

impl World {
    pub async fn profile(&self, account: &str) -> Result<pb::TalentProfile, Status> {
        let request = pb::GetProfileRequest {
            account_id: account.to_owned(),
        };
        let answer = self.profiles.clone().get_profile(request).await?;
        Ok(answer.into_inner().profile.expect("a profile"))
    }

    pub async fn save_section(&self, account: &str, section: Section, done: bool) -> Result<pb::TalentProfile, Status> {
        let request = pb::SaveSectionRequest {
            request_id: request_id(),
            account_id: account.to_owned(),
            section: Some(section),
            done,
        };
        let answer = self.profiles.clone().save_section(request).await?;
        Ok(answer.into_inner().profile.expect("a profile"))
    }

    pub async fn discard_section(&self, account: &str, kind: pb::SectionKind) -> Result<pb::TalentProfile, Status> {
        let request = pb::DiscardSectionRequest {
            request_id: request_id(),
            account_id: account.to_owned(),
            section: kind.into(),
        };
        let answer = self.profiles.clone().discard_section(request).await?;
        Ok(answer.into_inner().profile.expect("a profile"))
    }

    pub async fn set_visibility(&self, account: &str, to: pb::Visibility) -> Result<pb::TalentProfile, Status> {
        let request = pb::SetVisibilityRequest {
            request_id: request_id(),
            account_id: account.to_owned(),
            visibility: to.into(),
        };
        let answer = self.profiles.clone().set_visibility(request).await?;
        Ok(answer.into_inner().profile.expect("a profile"))
    }

    /// The service as this caller sees it.
    pub fn profiles_as(&self, caller: Caller) -> ProfileServiceClient<Signed> {
        let signer = Signer::new(&self.config.common.access, caller);
        ProfileServiceClient::new(signer.on(self.plain_channel()))
    }

    /// The service of documents as this caller sees it, over a connection of its own.
    pub fn documents_as(&self, caller: Caller) -> DocumentServiceClient<Signed> {
        let signer = Signer::new(&self.config.common.access, caller);
        DocumentServiceClient::new(signer.on(self.plain_channel()))
    }

    /// The service as somebody sees it who comes without a token.
    pub fn profiles_as_anybody(&self) -> ProfileServiceClient<Channel> {
        ProfileServiceClient::new(self.plain_channel())
    }

    fn plain_channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.running.address))
            .expect("an address")
            .connect_lazy()
    }

    /// The names of the freelancers who are found, the best match first.
    pub async fn talent(&self, filter: pb::TalentFilter) -> Vec<String> {
        let request = pb::SearchTalentRequest {
            filter: Some(filter),
            page_size: 100,
            page_token: String::new(),
        };
        let answer = self.profiles.clone().search_talent(request).await.expect("an answer");
        names(answer.into_inner().talent)
    }

    /// The names of the agencies that are found, the best match first.
    pub async fn agencies(&self, filter: pb::TalentFilter) -> Vec<String> {
        let request = pb::SearchAgenciesRequest {
            filter: Some(filter),
            page_size: 100,
            page_token: String::new(),
        };
        let answer = self.profiles_as_anybody().search_agencies(request).await;
        names(answer.expect("an answer").into_inner().agencies)
    }

    /// Somebody of this name, with an account that nobody finds.
    pub async fn newcomer(&self, name: &str) -> pb::Person {
        let email = format!("{}@example.com", AccountId::new());
        let request = pb::RegisterAccountRequest {
            basic_information: Some(basic_information(name, &email)),
            ..registration(&email)
        };
        self.register(request).await.expect("an account")
    }

    /// A freelancer of this name, whom everybody finds.
    pub async fn freelancer(&self, name: &str, title: &str, skills: &[&str]) -> pb::Person {
        let person = self.newcomer(name).await;
        self.describe(&person.account_id, title, skills).await;
        self.set_visibility(&person.account_id, pb::Visibility::Public)
            .await
            .expect("shown");
        person
    }

    /// The headline and the skills of a profile, complete.
    pub async fn describe(&self, account: &str, title: &str, skills: &[&str]) {
        let said = self.save_section(account, headline(title), true).await;
        said.expect("a headline");
        let said = self.save_section(account, able_to(skills), true).await;
        said.expect("skills");
    }

    /// An agency, put into the table as the acceptance of an invitation would.
    pub async fn agency(&self, owner: &pb::Person, name: &str, listing: &str) -> String {
        let id = AccountId::new();
        let person: PersonId = owner.id.parse().expect("an id");
        let confirmed_at = (listing == "PUBLIC").then_some(0_i64);
        let values = [
            id.as_uuid().into(),
            person.as_uuid().into(),
            name.into(),
            name.to_lowercase().into(),
            listing.into(),
            confirmed_at.into(),
        ];
        let insert = "INSERT INTO agency (id, person_id, name, name_key, listing, created_at, confirmed_at) \
                      VALUES (?, ?, ?, ?, ?, 0, ?)";
        self.execute(insert, values).await.expect("an agency");
        let indexed = self.db.write_tx(|txn| async move { search::reindex(&txn, id).await });
        indexed.await.expect("indexed");
        id.to_string()
    }

    /// Carries a statement out behind the back of the service; each `?` stands for a value.
    pub async fn execute<const N: usize>(&self, sql: &str, values: [Value; N]) -> Result<u64, StorageError> {
        let mut parts = sql.split('?');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for (at, part) in parts.enumerate() {
            let mark = match self.db.backend() {
                vouch_storage::DbBackend::Postgres => format!("${}", at + 1),
                _ => "?".to_owned(),
            };
            text = text + &mark + part;
        }
        let statement = Statement::from_sql_and_values(self.db.backend(), text, values);
        let done = self.db.write_tx(|txn| {
            let statement = statement.clone();
            async move { Ok::<_, StorageError>(txn.execute_raw(statement).await?.rows_affected()) }
        });
        done.await
    }
}

pub fn names(found: Vec<pb::FoundTalent>) -> Vec<String> {
    found.into_iter().map(|talent| talent.name).collect()
}

pub fn headline(title: &str) -> Section {
    Section::Headline(pb::Headline {
        title: title.to_owned(),
        overview: "I do it with care.".to_owned(),
    })
}

pub fn able_to(skills: &[&str]) -> Section {
    Section::Skills(pb::Skills {
        names: skills.iter().map(|skill| (*skill).to_owned()).collect(),
    })
}

pub fn hourly(minor_units: i64, currency: &str) -> Section {
    Section::Rate(pb::Rate {
        hourly_rate: Some(money(minor_units, currency)),
    })
}

pub fn money(minor_units: i64, currency: &str) -> Money {
    Money {
        currency_code: currency.to_owned(),
        minor_units,
    }
}

/// These words are looked for.
pub fn words(query: &str) -> pb::TalentFilter {
    pb::TalentFilter {
        query: query.to_owned(),
        ..pb::TalentFilter::default()
    }
}

/// A refusal by the state of things, for this reason.
pub fn precondition(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}
