//! Clients.

use std::collections::HashSet;

use vouch_primitives::ClientId;
use vouch_proto::{Fields, Violations, convert::to_wire_time, invitation::v1 as pb};

use super::Id;
use crate::{
    app::clients::{CreateClient, NewHiringManager},
    domain::{
        Client, HiringManager, Plan,
        client::{HIRING_MANAGERS, NAME_LENGTH},
    },
};

impl TryFrom<pb::CreateClientRequest> for CreateClient {
    type Error = Violations;

    fn try_from(request: pb::CreateClientRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let company_name = fields.line("company_name", &request.company_name, NAME_LENGTH);
        let plan = plan(&mut fields, request.plan());
        let hiring_managers = hiring_managers(&mut fields, &request.hiring_managers);
        let (Some(company_name), Some(plan), Some(hiring_managers)) = (company_name, plan, hiring_managers) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            company_name,
            plan,
            hiring_managers,
        })
    }
}

fn plan(fields: &mut Fields, plan: pb::Plan) -> Option<Plan> {
    match plan {
        pb::Plan::Unspecified => {
            fields.refuse("plan", "REQUIRED", "is required");
            None
        }
        pb::Plan::Basic => Some(Plan::Basic),
        pb::Plan::BusinessPlus => Some(Plan::BusinessPlus),
        pb::Plan::Enterprise => Some(Plan::Enterprise),
    }
}

fn hiring_managers(fields: &mut Fields, managers: &[pb::HiringManager]) -> Option<Vec<NewHiringManager>> {
    if managers.is_empty() {
        fields.refuse("hiring_managers", "REQUIRED", "must have at least one");
        return None;
    }
    if !HIRING_MANAGERS.contains(&managers.len()) {
        fields.refuse("hiring_managers", "OUT_OF_RANGE", "must have at most 50");
        return None;
    }
    let mut addresses = HashSet::new();
    let read: Vec<_> = managers
        .iter()
        .enumerate()
        .map(|(index, wire)| {
            fields.within(&format!("hiring_managers[{index}]"), |fields| {
                let manager = hiring_manager(fields, wire)?;
                if addresses.insert(manager.email.clone()) {
                    return Some(manager);
                }
                fields.refuse("email", "DUPLICATE", "belongs to another hiring manager here");
                None
            })
        })
        .collect();
    read.into_iter().collect()
}

fn hiring_manager(fields: &mut Fields, manager: &pb::HiringManager) -> Option<NewHiringManager> {
    if !manager.id.is_empty() {
        fields.refuse("id", "NOT_ALLOWED", "is set by the service");
    }
    let display_name = fields.line("display_name", &manager.display_name, NAME_LENGTH);
    let email = fields.email("email", &manager.email);
    Some(NewHiringManager {
        display_name: display_name?,
        email: email?,
    })
}

impl TryFrom<pb::GetClientRequest> for Id<ClientId> {
    type Error = Violations;

    fn try_from(request: pb::GetClientRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_id", &request.client_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl From<Client> for pb::Client {
    fn from(client: Client) -> Self {
        Self {
            id: client.id.to_string(),
            company_name: client.company_name,
            plan: pb::Plan::from(client.plan).into(),
            hiring_managers: client.hiring_managers.into_iter().map(Into::into).collect(),
            create_time: Some(to_wire_time(client.created_at)),
        }
    }
}

impl From<HiringManager> for pb::HiringManager {
    fn from(manager: HiringManager) -> Self {
        Self {
            id: manager.id.to_string(),
            display_name: manager.display_name,
            email: manager.email.to_string(),
        }
    }
}

impl From<Plan> for pb::Plan {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Basic => Self::Basic,
            Plan::BusinessPlus => Self::BusinessPlus,
            Plan::Enterprise => Self::Enterprise,
        }
    }
}
