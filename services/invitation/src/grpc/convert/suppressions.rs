//! The suppression list.

use vouch_primitives::EmailAddress;
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    invitation::v1::{self as pb, suppression::Reason as WireReason},
};

use super::{Address, SentToken, invitations::token};
use crate::{
    app::suppression::SuppressAddress,
    domain::{Suppression, SuppressionReason},
};

impl TryFrom<pb::UnsubscribeRequest> for SentToken {
    type Error = Violations;

    fn try_from(request: pb::UnsubscribeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = token(&mut fields, request.token);
        fields.finish(Self(token))
    }
}

impl TryFrom<pb::SuppressAddressRequest> for SuppressAddress {
    type Error = Violations;

    fn try_from(request: pb::SuppressAddressRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let email = fields.email("email", &request.email);
        let reason = match request.reason() {
            WireReason::Unspecified => {
                fields.refuse("reason", "REQUIRED", "is required");
                None
            }
            WireReason::Unsubscribed => Some(SuppressionReason::Unsubscribed),
            WireReason::Bounced => Some(SuppressionReason::Bounced),
            WireReason::Complained => Some(SuppressionReason::Complained),
        };
        let (Some(email), Some(reason)) = (email, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { email, reason })
    }
}

impl TryFrom<pb::ReinstateAddressRequest> for Address {
    type Error = Violations;

    fn try_from(request: pb::ReinstateAddressRequest) -> Result<Self, Violations> {
        address(&request.email)
    }
}

impl TryFrom<pb::GetSuppressionRequest> for Address {
    type Error = Violations;

    fn try_from(request: pb::GetSuppressionRequest) -> Result<Self, Violations> {
        address(&request.email)
    }
}

fn address(text: &str) -> Result<Address, Violations> {
    let mut fields = Fields::new();
    let email: Option<EmailAddress> = fields.email("email", text);
    email.map(Address).ok_or_else(|| fields.into())
}

impl From<Suppression> for pb::Suppression {
    fn from(suppression: Suppression) -> Self {
        Self {
            reason: WireReason::from(suppression.reason).into(),
            suppress_time: Some(to_wire_time(suppression.since)),
        }
    }
}

impl From<SuppressionReason> for WireReason {
    fn from(reason: SuppressionReason) -> Self {
        match reason {
            SuppressionReason::Unsubscribed => Self::Unsubscribed,
            SuppressionReason::Bounced => Self::Bounced,
            SuppressionReason::Complained => Self::Complained,
        }
    }
}
