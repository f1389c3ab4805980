//! Ada, Grace, and what they ask for.

use sha2::{Digest, Sha256};
use vouch_primitives::{RequestId, Timestamp};
use vouch_proto::{common::v1 as common, convert::to_wire_time, invitation::v1::Invitation, onboarding::v1 as pb};

use crate::invitations::token_of;

/// 2026-03-01T09:00:00Z: when the clock begins.
pub fn start() -> Timestamp {
    at("2026-03-01T09:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

pub fn request_id() -> String {
    RequestId::new().to_string()
}

pub fn basic_information(name: &str, email: &str) -> pb::BasicInformation {
    pb::BasicInformation {
        legal_name: format!("{name} Lovelace"),
        display_name: name.to_owned(),
        country_code: "GB".to_owned(),
        time_zone: "Europe/London".to_owned(),
        account_email: email.to_owned(),
    }
}

/// Ada activates an account from `invitation`.
pub fn activation(invitation: &Invitation, email: &str) -> pb::ActivateAccountRequest {
    pb::ActivateAccountRequest {
        request_id: request_id(),
        invitation_token: token_of(invitation),
        basic_information: Some(basic_information("Ada", email)),
        ..Default::default()
    }
}

/// Ada registers without an invitation in hand.
pub fn registration(email: &str) -> pb::RegisterAccountRequest {
    pb::RegisterAccountRequest {
        request_id: request_id(),
        basic_information: Some(basic_information("Ada", email)),
        ..Default::default()
    }
}

pub fn acceptance(case: &pb::Case, message: &str) -> pb::AcceptOfferRequest {
    pb::AcceptOfferRequest {
        request_id: request_id(),
        case_id: case.id.clone(),
        message: message.to_owned(),
    }
}

pub fn fixed_terms() -> common::ContractTerms {
    let amount = common::Money {
        currency_code: "USD".to_owned(),
        minor_units: 125_000,
    };
    let milestone = common::MilestoneTerms {
        title: "Translation".to_owned(),
        amount: Some(amount),
    };
    common::ContractTerms {
        project_name: "Notes on the engine".to_owned(),
        scope_of_work: "Translate the memoir.\nAdd notes.".to_owned(),
        schedule: Some(common::Schedule {
            start_time: Some(to_wire_time(at("2026-04-01"))),
            expected_weekly_hours: 0,
        }),
        payment_terms: String::new(),
        pay: Some(common::contract_terms::Pay::Fixed(common::FixedPay {
            milestones: vec![milestone],
        })),
    }
}

/// What the news of a registration says of an account e-mail that is a mailbox of its own.
pub fn of_address(email: &str) -> pb::AccountRegistered {
    let domain = email.split_once('@').expect("an address").1;
    pb::AccountRegistered {
        email_sha256: Sha256::digest(email).to_vec(),
        mailbox_sha256: Sha256::digest(email).to_vec(),
        domain_sha256: Sha256::digest(domain).to_vec(),
        ..Default::default()
    }
}
