//! Tax forms: the newest of an account counts, and four characters of its number are shown.

use tonic::Status;
use vouch_primitives::{AccountId, TaxFormId};
use vouch_proto::{
    common::v1::{
        TaxAddress, TaxClassification, TaxForm, TaxFormKind, W8BenForm, W9Form, tax_form::Form, w9_form::Tin,
    },
    convert::to_wire_time,
    payments::v1 as pb,
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, tried},
    world::{World, at, request_id, violations},
};

on_both_databases! {
    the_newest_form_counts,
    bad_forms_are_told_everything,
    the_table_holds_its_rules,
}

pub fn form(form: Form) -> Option<TaxForm> {
    Some(TaxForm {
        form: Some(form),
        signature: "Ada Lovelace".to_owned(),
        perjury_acknowledged: true,
    })
}

fn address() -> Option<TaxAddress> {
    Some(TaxAddress {
        street: "1 Analytical Way".to_owned(),
        city: "London".to_owned(),
        country_code: "GB".to_owned(),
        ..TaxAddress::default()
    })
}

fn w9() -> Form {
    Form::W9(W9Form {
        name: "Ada Lovelace".to_owned(),
        classification: TaxClassification::Individual.into(),
        address: address(),
        tin: Some(Tin::Ein("12-3456789".to_owned())),
        ..W9Form::default()
    })
}

pub fn w8ben() -> Form {
    Form::W8ben(W8BenForm {
        name: "Ada Lovelace".to_owned(),
        citizenship_country_code: "GB".to_owned(),
        permanent_address: address(),
        foreign_tin: "QQ 12 34 56 C".to_owned(),
        birth_date: "1990-12-10".to_owned(),
        ..W8BenForm::default()
    })
}

fn recording(account: AccountId, said: Form, day: &str) -> pb::RecordTaxFormRequest {
    pb::RecordTaxFormRequest {
        request_id: request_id(),
        tax_form_id: TaxFormId::new().to_string(),
        account_id: account.to_string(),
        form: form(said),
        submit_time: Some(to_wire_time(at(day))),
    }
}

impl World {
    async fn record(&self, request: pb::RecordTaxFormRequest) -> Result<pb::RecordTaxFormResponse, Status> {
        Ok(self.taxes.clone().record_tax_form(request).await?.into_inner())
    }

    async fn tax_status(&self, account: AccountId) -> Option<pb::TaxFormSummary> {
        let account_id = account.to_string();
        let request = pb::GetTaxStatusRequest { account_id };
        let answer = self.taxes.clone().get_tax_status(request).await;
        answer.expect("a status").into_inner().tax_form
    }
}

// B46
async fn the_newest_form_counts(database: TestDatabase) {
    let world = World::new(database).await;
    let account = AccountId::new();
    assert_eq!(world.tax_status(account).await, None);
    let newer = recording(account, w8ben(), "2026-03-02");
    let older = recording(account, w9(), "2026-03-01");
    for request in [&older, &newer] {
        world.record(request.clone()).await.expect("kept");
    }
    // The same form by another request, and one that comes late.
    let again = pb::RecordTaxFormRequest {
        request_id: request_id(),
        ..newer.clone()
    };
    world.record(again).await.expect("kept before");
    world
        .record(recording(account, w9(), "2026-02-28"))
        .await
        .expect("kept, and old");
    assert_eq!(count(&world.db, "tax_form").await, 3);
    let expected = pb::TaxFormSummary {
        id: newer.tax_form_id,
        kind: TaxFormKind::W8ben.into(),
        tin_last_four: "456C".to_owned(),
        submit_time: newer.submit_time,
    };
    assert_eq!(world.tax_status(account).await, Some(expected));
    let other = AccountId::new();
    world.record(recording(other, w9(), "2026-03-01")).await.expect("kept");
    let shown = world.tax_status(other).await.expect("a form");
    assert_eq!((shown.kind(), shown.tin_last_four.as_str()), (TaxFormKind::W9, "6789"));
    world.stop().await;
}

async fn bad_forms_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let nothing = world.record(pb::RecordTaxFormRequest::default()).await;
    assert_eq!(
        violations(nothing),
        [
            "request_id REQUIRED",
            "tax_form_id REQUIRED",
            "account_id REQUIRED",
            "form REQUIRED",
            "submit_time REQUIRED",
        ]
    );
    assert_eq!(count(&world.db, "tax_form").await, 0);
    world.stop().await;
}

async fn the_table_holds_its_rules(database: TestDatabase) {
    let world = World::new(database).await;
    let account = AccountId::new();
    world
        .record(recording(account, w9(), "2026-03-01"))
        .await
        .expect("kept");
    for (set, rule) in [
        ("kind = 'W4'", "tax_form_kind_is_known"),
        (
            "kind = 'W8BEN', tin_last_four = '456789'",
            "tax_form_shows_four_characters",
        ),
        ("tin_last_four = ''", "tax_form_of_w9_has_a_number"),
    ] {
        let told = tried(&world.db, &format!("UPDATE tax_form SET {set}")).await;
        let told = told.expect_err("a rule of the table");
        assert!(told.contains(rule), "{set}: {told}");
    }
    world.stop().await;
}
