//! Tax information: taken here, kept by payments [B46, B53].

use prost::{Message, Name};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use vouch_primitives::AccountId;
use vouch_proto::{
    common::v1::{
        TaxAddress, TaxClassification, TaxForm, TaxFormKind, W8BenForm, W9Form, tax_form::Form, w9_form::Tin,
    },
    convert::to_wire_time,
    onboarding::v1::{self as pb, tax_information::State},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases, tables::rows};

use crate::{
    example::{activation, at, request_id, start},
    tables::{count, counts},
    world::{SOON, World, refusal, violations},
};

on_both_databases! {
    a_form_is_passed_on_and_forgotten,
    whoever_reads_the_requests_learns_no_number,
    while_payments_is_away_a_form_waits,
    a_lost_answer_hands_the_same_form_over_again,
    bad_forms_are_told_everything,
    an_account_that_is_closed_hands_nothing_in,
    an_agency_hands_its_own_in,
    ten_forms_a_day,
}

fn address() -> Option<TaxAddress> {
    Some(TaxAddress {
        street: "1 Analytical Way".to_owned(),
        city: "London".to_owned(),
        country_code: "GB".to_owned(),
        ..TaxAddress::default()
    })
}

pub fn w9() -> TaxForm {
    let form = W9Form {
        name: "Ada Lovelace".to_owned(),
        classification: TaxClassification::Individual.into(),
        address: address(),
        tin: Some(Tin::Ssn("123-45-6789".to_owned())),
        ..W9Form::default()
    };
    signed(Form::W9(form))
}

fn w8ben() -> TaxForm {
    let form = W8BenForm {
        name: "Ada Lovelace".to_owned(),
        citizenship_country_code: "GB".to_owned(),
        permanent_address: address(),
        birth_date: "1990-12-10".to_owned(),
        ..W8BenForm::default()
    };
    signed(Form::W8ben(form))
}

fn signed(form: Form) -> TaxForm {
    TaxForm {
        form: Some(form),
        signature: "Ada Lovelace".to_owned(),
        perjury_acknowledged: true,
    }
}

impl World {
    pub async fn submit_form(&self, account_id: &str, form: TaxForm) -> Result<pb::TaxInformation, Status> {
        let request = pb::SubmitTaxInformationRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            form: Some(form),
        };
        let answer = self.taxes.clone().submit_tax_information(request).await?.into_inner();
        Ok(answer.tax_information.expect("tax information"))
    }

    async fn tax_information(&self, account_id: &str) -> Result<pb::TaxInformation, Status> {
        let account_id = account_id.to_owned();
        let request = pb::GetTaxInformationRequest { account_id };
        let answer = self.taxes.clone().get_tax_information(request).await?.into_inner();
        Ok(answer.tax_information.expect("tax information"))
    }

    async fn until_recorded(&self, account_id: &str) {
        eventually("payments has the form", SOON, async || {
            match self.tax_information(account_id).await {
                Ok(information) if information.state() == State::Recorded => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// How many forms wait here with what they say.
async fn waiting(world: &World) -> i64 {
    count(&world.db, "tax_form WHERE form IS NOT NULL").await
}

/// Whoever has the database and knows all but the number could else try all numbers.
async fn whoever_reads_the_requests_learns_no_number(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let request = pb::SubmitTaxInformationRequest {
        request_id: request_id(),
        account_id: ada.account_id.clone(),
        form: Some(w9()),
    };
    let submit = async |request: &pb::SubmitTaxInformationRequest| {
        let answer = world.taxes.clone().submit_tax_information(request.clone()).await?;
        Ok::<_, Status>(answer.into_inner())
    };
    let taken = submit(&request).await.expect("taken");
    let plain = Sha256::new()
        .chain_update("operator:test")
        .chain_update([0])
        .chain_update(request.encode_to_vec())
        .finalize();
    let query = format!(
        "SELECT hash FROM request WHERE method = '{}'",
        pb::SubmitTaxInformationRequest::full_name()
    );
    let hash: Vec<u8> = rows(&world.db, query).await[0].try_get_by_index(0).expect("a hash");
    assert_ne!(hash, plain.to_vec());
    assert_eq!(submit(&request).await.expect("the same answer"), taken);
    let other = pb::SubmitTaxInformationRequest {
        form: Some(w8ben()),
        ..request
    };
    assert_eq!(refusal(submit(&other).await).1, "REQUEST_ID_REUSED");
    world.stop().await;
}

async fn a_form_is_passed_on_and_forgotten(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let none = world.tax_information(&ada.account_id).await;
    assert_eq!(refusal(none), (Code::NotFound, "NOT_FOUND".to_owned()));
    let submitted = world.submit_form(&ada.account_id, w9()).await.expect("taken");
    let expected = pb::TaxInformation {
        tax_form_id: submitted.tax_form_id.clone(),
        account_id: ada.account_id.clone(),
        kind: TaxFormKind::W9.into(),
        state: State::PassingOn.into(),
        submit_time: Some(to_wire_time(start())),
    };
    assert_eq!(submitted, expected);
    world.until_recorded(&ada.account_id).await;
    let taken = world.payments.taken().remove(0);
    assert_eq!(
        (taken.tax_form_id, taken.account_id),
        (submitted.tax_form_id, ada.account_id.clone())
    );
    let Some(Form::W9(form)) = taken.form.expect("a form").form else {
        panic!("not the form that was handed in")
    };
    assert_eq!(form.tin, Some(Tin::Ssn("123456789".to_owned())), "digits alone");
    assert_eq!(waiting(&world).await, 0);
    world.until_only_timers(&["offer.lapse"]).await;

    world.wait_until(at("2026-03-02"));
    world
        .submit_form(&ada.account_id, w8ben())
        .await
        .expect("the newer one");
    world.until_recorded(&ada.account_id).await;
    let newest = world.tax_information(&ada.account_id).await.expect("tax information");
    assert_eq!(newest.kind(), TaxFormKind::W8ben);
    world.stop().await;
}

async fn ten_forms_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    for _ in 0..10 {
        world.submit_form(&ada.account_id, w9()).await.expect("taken");
    }
    let limit = (Code::ResourceExhausted, "TAX_FORM_LIMIT_REACHED".to_owned());
    assert_eq!(refusal(world.submit_form(&ada.account_id, w9()).await), limit);
    assert_eq!(count(&world.db, "tax_form").await, 10);
    world.wait_until(at("2026-03-02"));
    world.submit_form(&ada.account_id, w9()).await.expect("another day");
    world.stop().await;
}

async fn while_payments_is_away_a_form_waits(database: TestDatabase) {
    let mut world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.payments.away(true);
    world.submit_form(&ada.account_id, w9()).await.expect("taken");
    assert_eq!(waiting(&world).await, 1);
    world.die_and_start_again().await;
    let information = world.tax_information(&ada.account_id).await.expect("tax information");
    assert_eq!(information.state(), State::PassingOn);
    world.payments.away(false);
    until_passed_on(&world, &ada.account_id).await;
    assert_eq!(waiting(&world).await, 0);
    // The clock runs ahead of the call, so that a second one may be begun: it hands over the same.
    let taken = world.payments.taken();
    assert!(taken.iter().all(|request| *request == taken[0]), "{}", taken.len());
    world.stop().await;
}

async fn a_lost_answer_hands_the_same_form_over_again(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.payments.mute(true);
    world.submit_form(&ada.account_id, w9()).await.expect("taken");
    eventually("payments has it", SOON, async || {
        let taken = world.payments.taken().len();
        (taken > 0).then_some(()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    assert_eq!(waiting(&world).await, 1);
    world.payments.mute(false);
    until_passed_on(&world, &ada.account_id).await;
    let taken = world.payments.taken();
    assert!(
        taken.len() > 1 && taken.iter().all(|request| *request == taken[0]),
        "{}",
        taken.len()
    );
    world.stop().await;
}

/// The timer tries again later: by the clock, which is moved until it has.
async fn until_passed_on(world: &World, account_id: &str) {
    use vouch_primitives::Clock;
    eventually("payments has the form", SOON, async || {
        world.wait_until(world.clock.now().saturating_add(std::time::Duration::from_secs(60)));
        match world.tax_information(account_id).await {
            Ok(information) if information.state() == State::Recorded => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

async fn bad_forms_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let before = counts(&world.db).await;
    let unsigned = TaxForm {
        form: Some(Form::W9(W9Form {
            tin: Some(Tin::Ssn("666-45-6789".to_owned())),
            ..W9Form::default()
        })),
        ..TaxForm::default()
    };
    assert_eq!(
        violations(world.submit_form(&ada.account_id, unsigned).await),
        [
            "form.w9.name REQUIRED",
            "form.w9.classification REQUIRED",
            "form.w9.address REQUIRED",
            "form.w9.ssn INVALID_FORMAT",
            "form.signature REQUIRED",
            "form.perjury_acknowledged REQUIRED",
        ]
    );
    let strange = signed(Form::W8ben(W8BenForm {
        citizenship_country_code: "Britain".to_owned(),
        permanent_address: Some(TaxAddress::default()),
        foreign_tin: "<tin>".to_owned(),
        treaty_country_code: "gb".to_owned(),
        birth_date: "1990-02-30".to_owned(),
        ..W8BenForm::default()
    }));
    assert_eq!(
        violations(world.submit_form(&ada.account_id, strange).await),
        [
            "form.w8ben.name REQUIRED",
            "form.w8ben.citizenship_country_code INVALID_FORMAT",
            "form.w8ben.permanent_address.street REQUIRED",
            "form.w8ben.permanent_address.city REQUIRED",
            "form.w8ben.permanent_address.country_code REQUIRED",
            "form.w8ben.foreign_tin INVALID_FORMAT",
            "form.w8ben.treaty_country_code INVALID_FORMAT",
            "form.w8ben.birth_date INVALID_FORMAT",
        ]
    );
    let nobody = world.submit_form(&AccountId::new().to_string(), w9()).await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "tax_form").await, 0);
    world.stop().await;
}

async fn an_account_that_is_closed_hands_nothing_in(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.close(&ada.id, "").await.expect("closed");
    assert_eq!(
        refusal(world.submit_form(&ada.account_id, w9()).await),
        (Code::FailedPrecondition, "ACCOUNT_CLOSED".to_owned())
    );
    assert_eq!(count(&world.db, "tax_form").await, 0);
    world.stop().await;
}

// B53
async fn an_agency_hands_its_own_in(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send_to_cloud("ada@example.com");
    let invitation = world.invitations.of_agency(invitation);
    let request = pb::ActivateAccountRequest {
        agency_name: "Analytical Engines".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    let activated = world.activate(request).await.expect("an account");
    let (ada, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
    assert_ne!(case.account_id, ada.account_id);
    let taken = world.submit_form(&case.account_id, w9()).await.expect("taken");
    assert_eq!(taken.account_id, case.account_id);
    world.stop().await;
}
