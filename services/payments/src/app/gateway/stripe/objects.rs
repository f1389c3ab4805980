//! What is read of Stripe's objects; they have many more fields.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, de::IgnoredAny};

/// What we have written on an object.
pub(super) type Metadata = Option<BTreeMap<String, String>>;

/// What has an id.
pub(super) trait Named {
    fn id(&self) -> &str;
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// An object, or only its id where there is no more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Object(T),
    Id(IgnoredAny),
}

/// The body of an answer that refuses.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub error: ApiError,
}

/// Why something was refused; also why the last try of an intent was.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ApiError {
    #[serde(skip)]
    pub status: u16,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub id: String,
    pub status: String,
    pub metadata: Metadata,
    pub last_payment_error: Option<ApiError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    pub id: String,
    pub payment_intent: Option<Expandable<Intent>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub status: String,
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct Transfer {
    pub id: String,
    pub amount: i64,
    pub amount_reversed: i64,
    /// The connected account.
    pub destination: String,
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payout {
    pub id: String,
    pub status: String,
    pub failure_code: Option<String>,
    pub metadata: Metadata,
}

/// What a reversal of a transfer is, nobody needs to know once it is made.
#[derive(Debug, Deserialize)]
pub(super) struct Reversal {}

#[derive(Debug, Deserialize)]
pub(super) struct Customer {
    #[serde(default)]
    pub deleted: bool,
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct PaymentMethod {
    #[serde(rename = "type")]
    pub kind: String,
    pub customer: Option<String>,
    pub card: Option<Card>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Card {
    pub checks: Option<Checks>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Checks {
    pub cvc_check: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    #[serde(default)]
    pub payouts_enabled: bool,
    pub metadata: Metadata,
}

/// A bank account or a debit card of a connected account.
#[derive(Debug, Deserialize)]
pub(super) struct External {
    pub id: String,
    pub last4: String,
    pub fingerprint: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub payment_intent: Option<Expandable<Intent>>,
}

/// What Stripe tells by itself. Of what it is about no more is read than which one it is.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub data: EventData,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventData {
    pub object: EventObject,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventObject {
    /// A balance has none.
    pub id: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
}

impl ApiError {
    /// Whether it says that there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        self.status == 404 || self.code.as_deref() == Some("resource_missing")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "status {}, code {}", self.status, or_none(&self.code))?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

macro_rules! named {
    ($($object:ident)+) => {$(
        impl Named for $object {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )+};
}

named! { Charge Refund Transfer Payout }
