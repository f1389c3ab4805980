//! Invitations that are to be sent, one or many.

use vouch_proto::{
    Fields, Violation, Violations,
    convert::to_wire_time,
    invitation::v1::{
        self as pb, import_invitations_request::Content as ImportContent, invitation_draft::Content as WireContent,
        invitation_verdict::Verdict as WireVerdict, send_invitation_request::Content as SendContent,
    },
    terms::contract_terms,
};

use super::{ImportInvitations, Template};
use crate::{
    app::sending::{Inviter, SendInvitation, SendInvitations, Verdict},
    domain::{
        Draft, DraftContent, Recipient, TalentType, Unsendable,
        draft::MOST_DRAFTS,
        invitation::{PERSONAL_MESSAGE_LENGTH, RECIPIENT_NAME_LENGTH},
    },
    error::reason_of,
};

impl TryFrom<pb::SendInvitationRequest> for SendInvitation {
    type Error = Violations;

    fn try_from(request: pb::SendInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let inviter = inviter(&mut fields, &request.client_id, &request.hiring_manager_id);
        let wire = pb::InvitationDraft {
            talent_type: request.talent_type,
            recipient_email: request.recipient_email,
            recipient_name: request.recipient_name,
            content: request.content.map(|content| match content {
                SendContent::ContractTerms(terms) => WireContent::ContractTerms(terms),
                SendContent::TalentCloudId(id) => WireContent::TalentCloudId(id),
            }),
            personal_message: request.personal_message,
        };
        let (Some(inviter), Some(draft)) = (inviter, draft(&mut fields, &wire)) else {
            return Err(fields.into());
        };
        fields.finish(Self { inviter, draft })
    }
}

impl TryFrom<pb::SendInvitationsRequest> for SendInvitations {
    type Error = Violations;

    fn try_from(request: pb::SendInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let inviter = inviter(&mut fields, &request.client_id, &request.hiring_manager_id);
        if request.invitations.is_empty() {
            fields.refuse("invitations", "REQUIRED", "must have at least one");
        }
        if request.invitations.len() > MOST_DRAFTS {
            fields.refuse("invitations", "OUT_OF_RANGE", "must be at most 1,000");
        }
        let Some(inviter) = inviter else {
            return Err(fields.into());
        };
        // What is wrong with one stands against that one alone.
        let drafts = request.invitations.iter().map(|wire| {
            let mut fields = Fields::new();
            let read = match draft(&mut fields, wire) {
                Some(draft) => fields.finish(draft),
                None => Err(fields.into()),
            };
            read.map_err(Verdict::Unreadable)
        });
        fields.finish(Self {
            inviter,
            drafts: drafts.collect(),
        })
    }
}

fn inviter(fields: &mut Fields, client_id: &str, hiring_manager_id: &str) -> Option<Inviter> {
    let client_id = fields.id("client_id", client_id);
    let hiring_manager_id = fields.id_if_set("hiring_manager_id", hiring_manager_id);
    Some(Inviter {
        client_id: client_id?,
        hiring_manager_id: hiring_manager_id?,
    })
}

impl TryFrom<pb::ImportInvitationsRequest> for ImportInvitations {
    type Error = Violations;

    fn try_from(request: pb::ImportInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let inviter = inviter(&mut fields, &request.client_id, &request.hiring_manager_id);
        let talent_type = request.talent_type();
        let content = request.content.map(|content| match content {
            ImportContent::ContractTerms(terms) => WireContent::ContractTerms(terms),
            ImportContent::TalentCloudId(id) => WireContent::TalentCloudId(id),
        });
        let template = template(&mut fields, talent_type, content.as_ref(), &request.personal_message);
        let (Some(inviter), Some(template)) = (inviter, template) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            inviter,
            template,
            dry_run: request.dry_run,
        })
    }
}

/// Reads one invitation; `None` if a violation was noted.
fn draft(fields: &mut Fields, wire: &pb::InvitationDraft) -> Option<Draft> {
    let template = template(
        fields,
        wire.talent_type(),
        wire.content.as_ref(),
        &wire.personal_message,
    );
    match template {
        Some(template) => template.draft(fields, &wire.recipient_email, &wire.recipient_name, ""),
        None => {
            recipient(fields, &wire.recipient_email, &wire.recipient_name);
            None
        }
    }
}

fn template(
    fields: &mut Fields,
    talent_type: pb::TalentType,
    content: Option<&WireContent>,
    personal_message: &str,
) -> Option<Template> {
    let talent_type = match talent_type {
        pb::TalentType::Unspecified => {
            fields.refuse("talent_type", "REQUIRED", "is required");
            None
        }
        pb::TalentType::Freelancer => Some(TalentType::Freelancer),
        pb::TalentType::Agency => Some(TalentType::Agency),
    };
    let content = match content {
        Some(WireContent::ContractTerms(terms)) => fields
            .within("contract_terms", |fields| contract_terms(fields, terms))
            .map(DraftContent::Contract),
        Some(WireContent::TalentCloudId(id)) => fields.id("talent_cloud_id", id).map(DraftContent::Cloud),
        None => {
            fields.refuse("content", "REQUIRED", "is required: contract_terms or talent_cloud_id");
            None
        }
    };
    let personal_message = fields.text("personal_message", personal_message, PERSONAL_MESSAGE_LENGTH);
    Some(Template {
        talent_type: talent_type?,
        content: content?,
        personal_message: personal_message?,
    })
}

impl Template {
    /// The invitation of one recipient, with words of its own if there are some.
    pub(in crate::grpc) fn draft(&self, fields: &mut Fields, email: &str, name: &str, message: &str) -> Option<Draft> {
        let recipient = recipient(fields, email, name);
        let own = fields.text("personal_message", message, PERSONAL_MESSAGE_LENGTH);
        let personal_message = own.map(|own| match own.trim() {
            "" => self.personal_message.clone(),
            _ => own,
        });
        let silent = personal_message.as_ref().is_some_and(|words| words.trim().is_empty());
        if silent && matches!(self.content, DraftContent::Cloud(_)) {
            fields.refuse(
                "personal_message",
                "REQUIRED",
                "is required in an invitation to a talent cloud",
            );
        }
        Some(Draft {
            talent_type: self.talent_type,
            recipient: recipient?,
            content: self.content.clone(),
            personal_message: personal_message?,
        })
    }
}

fn recipient(fields: &mut Fields, email: &str, name: &str) -> Option<Recipient> {
    let email = fields.email("recipient_email", email);
    let name = fields.line("recipient_name", name, RECIPIENT_NAME_LENGTH);
    Some(Recipient {
        email: email?,
        name: name?,
    })
}

impl From<Verdict> for pb::InvitationVerdict {
    fn from(verdict: Verdict) -> Self {
        let verdict = match verdict {
            Verdict::Sent(id) => WireVerdict::InvitationId(id.to_string()),
            Verdict::Unsendable(why) => WireVerdict::Refusal(unsendable(why)),
            Verdict::Unreadable(violations) => WireVerdict::Refusal(unreadable(violations)),
        };
        Self { verdict: Some(verdict) }
    }
}

fn unsendable(why: Unsendable) -> pb::InvitationRefusal {
    let retry_time = match why {
        Unsendable::Over { until, .. } => Some(to_wire_time(until)),
        _ => None,
    };
    pb::InvitationRefusal {
        reason: reason_of(why).to_owned(),
        message: why.to_string(),
        field_violations: Vec::new(),
        retry_time,
    }
}

fn unreadable(violations: Violations) -> pb::InvitationRefusal {
    let violation = |violation: Violation| pb::FieldViolation {
        field: violation.field,
        description: format!("{}: {}", violation.reason, violation.description),
    };
    pb::InvitationRefusal {
        reason: "INVALID_REQUEST".to_owned(),
        message: violations.to_string(),
        field_violations: violations.0.into_iter().map(violation).collect(),
        retry_time: None,
    }
}
