//! Which invitations are listed or counted.

use vouch_proto::{
    Fields, Violations,
    invitation::v1::{self as pb, invitation::State as WireState},
};

use super::{CountInvitations, WatchInvitations, states};
use crate::{
    app::invitations::ListInvitations,
    domain::{Change, Filter, Order, Stage},
};

impl TryFrom<pb::ListInvitationsRequest> for ListInvitations {
    type Error = Violations;

    fn try_from(request: pb::ListInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let filter = request.filter.unwrap_or_default();
        let filter = fields.within("filter", |fields| which(fields, &filter));
        let order = if request.oldest_first {
            Order::OldestFirst
        } else {
            Order::NewestFirst
        };
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            filter,
            order,
            page,
        })
    }
}

impl TryFrom<pb::WatchInvitationsRequest> for WatchInvitations {
    type Error = Violations;

    fn try_from(request: pb::WatchInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let seen = match request.resume_token.as_str() {
            "" => Some(Change::NONE),
            token => token.parse().ok(),
        };
        if seen.is_none() {
            fields.refuse(
                "resume_token",
                "INVALID_FORMAT",
                "must be the resume_token of an earlier answer",
            );
        }
        let (Some(client_id), Some(seen)) = (client_id, seen) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, seen })
    }
}

impl TryFrom<pb::CountInvitationsRequest> for CountInvitations {
    type Error = Violations;

    fn try_from(request: pb::CountInvitationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let period = pb::InvitationFilter {
            from_time: request.from_time,
            until_time: request.until_time,
            ..Default::default()
        };
        let filter = which(&mut fields, &period);
        let Some(client_id) = client_id else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, filter })
    }
}

fn which(fields: &mut Fields, filter: &pb::InvitationFilter) -> Filter {
    let from = fields.time_if_set("from_time", filter.from_time.as_ref()).flatten();
    let until = fields.time_if_set("until_time", filter.until_time.as_ref()).flatten();
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        fields.refuse("until_time", "OUT_OF_RANGE", "must be after from_time");
    }
    let recipient = match filter.recipient_email.as_str() {
        "" => None,
        address => fields.email("recipient_email", address),
    };
    let stages = states(fields, &filter.states, stage);
    Filter {
        stages,
        recipient,
        from,
        until,
    }
}

fn stage(state: WireState) -> Option<Stage> {
    match state {
        WireState::Unspecified => None,
        WireState::Pending => Some(Stage::Pending),
        WireState::Accepted => Some(Stage::Accepted),
        WireState::Declined => Some(Stage::Declined),
        WireState::Withdrawn => Some(Stage::Withdrawn),
        WireState::Expired => Some(Stage::Expired),
    }
}
