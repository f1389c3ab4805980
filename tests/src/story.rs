//! Who does what. One place touches the API, so that tests and the demo read as a story.

use tonic::{Response, Status};
use vouch_primitives::{Money, Timestamp};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    invitation::v1::{self as invitation, TalentType},
    onboarding::v1::{self as onboarding, get_home_response::NextStep},
    payments::v1 as payments,
    referral::v1 as referral,
};

use crate::{Clients, Error, Mailbox, TestClock, clients::until_definite};

/// A system and the people who use it.
#[derive(Clone, Debug)]
pub struct Story {
    /// The services.
    pub clients: Box<Clients>,
    /// Their clock.
    pub clock: TestClock,
    /// Their mail.
    pub mailbox: Mailbox,
}

/// A client with its hiring manager.
#[derive(Clone, Debug)]
pub struct Company {
    /// The client's id.
    pub id: String,
    /// The hiring manager's address.
    pub manager_email: String,
}

/// Sends one call, with a request id of its own, until its outcome is known.
macro_rules! call {
    ($self:ident.clients.$client:ident, $method:ident, $request:expr) => {{
        let request = $request;
        let send = || {
            let (mut client, request) = ($self.clients.$client.clone(), request.clone());
            async move { $self.clients.tally.watch(client.$method(request)).await }
        };
        until_definite(send).await.map(Response::into_inner)
    }};
}

impl Story {
    /// The story of this system.
    #[must_use]
    pub fn new(clients: Clients, mailbox: Mailbox) -> Self {
        Self {
            clock: TestClock::of(&clients),
            clients: Box::new(clients),
            mailbox,
        }
    }

    /// A company joins, with one hiring manager.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn company(&self, name: &str, manager: &str, email: &str) -> Result<Company, Status> {
        let manager = invitation::HiringManager {
            id: String::new(),
            display_name: manager.to_owned(),
            email: email.to_owned(),
        };
        let request = invitation::CreateClientRequest {
            request_id: request_id(),
            company_name: name.to_owned(),
            plan: invitation::Plan::Enterprise.into(),
            hiring_managers: vec![manager],
        };
        let client = call!(self.clients.clients, create_client, request)?
            .client
            .unwrap_or_default();
        Ok(Company {
            id: client.id,
            manager_email: email.to_owned(),
        })
    }

    /// A company invites somebody to a fixed-price contract with one milestone.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn invite(
        &self,
        company: &Company,
        name: &str,
        email: &str,
        milestone: (&str, Money),
        start: Timestamp,
    ) -> Result<invitation::Invitation, Status> {
        let terms = terms(milestone, start);
        let request = invitation::SendInvitationRequest {
            request_id: request_id(),
            client_id: company.id.clone(),
            hiring_manager_id: String::new(),
            talent_type: TalentType::Freelancer.into(),
            recipient_email: email.to_owned(),
            recipient_name: name.to_owned(),
            content: Some(invitation::send_invitation_request::Content::ContractTerms(terms)),
            personal_message: format!("Dear {name}, let us go on working together here."),
        };
        Ok(call!(self.clients.invitations, send_invitation, request)?
            .invitation
            .unwrap_or_default())
    }

    /// The invited person follows the link in the e-mail, typing the code of whoever vouched for them.
    ///
    /// # Errors
    /// If there is no e-mail, or the service refuses.
    pub async fn activate(
        &self,
        name: &str,
        email: &str,
        code: &str,
    ) -> Result<(onboarding::Person, onboarding::Case), Error> {
        self.clock.settle().await?;
        let token = self.mailbox.token(email)?;
        Ok(self.activate_with(token, name, email, code).await?)
    }

    /// Somebody with the token of an invitation activates an account.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn activate_with(
        &self,
        invitation_token: String,
        name: &str,
        email: &str,
        code: &str,
    ) -> Result<(onboarding::Person, onboarding::Case), Status> {
        let request = onboarding::ActivateAccountRequest {
            request_id: request_id(),
            invitation_token,
            basic_information: Some(basic_information(name, email)),
            referral_code: code.to_owned(),
            ..onboarding::ActivateAccountRequest::default()
        };
        let answer = call!(self.clients.accounts, activate_account, request)?;
        Ok((answer.person.unwrap_or_default(), answer.case.unwrap_or_default()))
    }

    /// Somebody registers without an invitation in hand, and verifies the address.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn register(&self, name: &str, email: &str, code: &str) -> Result<onboarding::Person, Error> {
        let request = onboarding::RegisterAccountRequest {
            request_id: request_id(),
            basic_information: Some(basic_information(name, email)),
            referral_code: code.to_owned(),
            ..onboarding::RegisterAccountRequest::default()
        };
        call!(self.clients.accounts, register_account, request)?;
        self.clock.settle().await?;
        let request = onboarding::VerifyEmailRequest {
            request_id: request_id(),
            token: self.mailbox.token(email)?,
        };
        let verified = call!(self.clients.accounts, verify_email, request)?;
        Ok(verified.person.unwrap_or_default())
    }

    /// What somebody sees first.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn home(&self, person: &str) -> Result<Option<NextStep>, Status> {
        let request = onboarding::GetHomeRequest {
            person_id: person.to_owned(),
            ..onboarding::GetHomeRequest::default()
        };
        Ok(call!(self.clients.cases, get_home, request)?.next_step)
    }

    /// Somebody with a verified address takes up the invitation that waits for them first.
    ///
    /// # Errors
    /// If none waits, or the service refuses.
    pub async fn open_first_invitation(&self, person: &str) -> Result<onboarding::Case, Error> {
        let home = self.home(person).await?;
        let Some(NextStep::OpenInvitation(open)) = home else {
            return Err(format!("no invitation waits first: {home:?}").into());
        };
        let request = onboarding::OpenCaseRequest {
            request_id: request_id(),
            person_id: person.to_owned(),
            invitation_id: open.invitation_id,
            ..Default::default()
        };
        Ok(call!(self.clients.cases, open_case, request)?.case.unwrap_or_default())
    }

    /// The case of the offer that has come straight into somebody's account.
    ///
    /// # Errors
    /// If there is none, or the service refuses.
    pub async fn open_case(&self, person: &str) -> Result<onboarding::Case, Error> {
        self.clock.settle().await?;
        match self.home(person).await? {
            Some(NextStep::OpenCase(case)) => Ok(case),
            other => Err(format!("no case waits: {other:?}").into()),
        }
    }

    /// The talent confirms the contract and accepts the offer with a message; payments begins the contract.
    ///
    /// # Errors
    /// If a service refuses.
    pub async fn accept(&self, case: &onboarding::Case, message: &str) -> Result<payments::Contract, Error> {
        let contract = self.agree(case, message).await?;
        self.clock.settle().await?;
        Ok(self.contract(&contract).await?)
    }

    /// The talent confirms the contract and accepts the offer. Returns the id of the contract to come.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn agree(&self, case: &onboarding::Case, message: &str) -> Result<String, Status> {
        let request = onboarding::ReviewContractRequest {
            request_id: request_id(),
            case_id: case.id.clone(),
            offer_version: 0,
        };
        call!(self.clients.cases, review_contract, request)?;
        let request = onboarding::AcceptOfferRequest {
            request_id: request_id(),
            case_id: case.id.clone(),
            message: message.to_owned(),
        };
        let accepted = call!(self.clients.cases, accept_offer, request)?;
        let offer = accepted.case.unwrap_or_default().offer;
        Ok(offer.unwrap_or_default().contract_id)
    }

    /// A contract.
    ///
    /// # Errors
    /// If there is none, or none yet.
    pub async fn contract(&self, contract: &str) -> Result<payments::Contract, Status> {
        let request = payments::GetContractRequest {
            contract_id: contract.to_owned(),
        };
        Ok(call!(self.clients.contracts, get_contract, request)?
            .contract
            .unwrap_or_default())
    }

    /// The client adds a milestone.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn milestone(&self, contract: &str, title: &str, amount: Money) -> Result<payments::Milestone, Status> {
        let request = payments::CreateMilestoneRequest {
            request_id: request_id(),
            contract_id: contract.to_owned(),
            title: title.to_owned(),
            amount: Some(amount.into()),
        };
        Ok(call!(self.clients.contracts, create_milestone, request)?
            .milestone
            .unwrap_or_default())
    }

    /// The client funds a milestone, the talent submits the work, the client approves it. Returns the earning's id.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn pay(&self, milestone: &str) -> Result<String, Status> {
        self.fund(milestone).await?;
        self.submit(milestone).await?;
        Ok(self.approve(milestone).await?.earning_id)
    }

    /// The client pays a milestone into escrow: it is charged, and the milestone is funded once the payment provider has
    /// answered.
    ///
    /// # Errors
    /// If the service refuses, or the provider does.
    pub async fn fund(&self, milestone: &str) -> Result<(), Status> {
        let request = payments::FundMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        let begun = call!(self.clients.contracts, fund_milestone, request)?;
        self.until_charged(&begun.charge_id).await
    }

    /// The talent submits the work of a milestone.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn submit(&self, milestone: &str) -> Result<payments::Milestone, Status> {
        let request = payments::SubmitMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
            message: "Done as agreed".to_owned(),
        };
        let answer = call!(self.clients.contracts, submit_milestone, request)?;
        Ok(answer.milestone.unwrap_or_default())
    }

    /// The client approves the work of a milestone.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn approve(&self, milestone: &str) -> Result<payments::Milestone, Status> {
        let request = payments::ApproveMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        let answer = call!(self.clients.contracts, approve_milestone, request)?;
        Ok(answer.milestone.unwrap_or_default())
    }

    /// A part or all of an earning goes back to the client.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn refund(&self, earning: &str, amount: Money) -> Result<payments::Earning, Status> {
        let request = payments::RefundEarningRequest {
            request_id: request_id(),
            earning_id: earning.to_owned(),
            amount: Some(amount.into()),
        };
        Ok(call!(self.clients.earnings, refund_earning, request)?
            .earning
            .unwrap_or_default())
    }

    /// Somebody enrols in the referral programme, once it has heard of their account.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn enrol(&self, person: &onboarding::Person) -> Result<referral::Referrer, Error> {
        self.clock.settle().await?;
        let request = referral::EnrolReferrerRequest {
            request_id: request_id(),
            account_id: person.account_id.clone(),
            ..referral::EnrolReferrerRequest::default()
        };
        Ok(call!(self.clients.referrals, enrol_referrer, request)?
            .referrer
            .unwrap_or_default())
    }

    /// All attributions of a referrer, newest first.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn attributions(&self, referrer: &str) -> Result<Vec<referral::Attribution>, Status> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = referral::ListAttributionsRequest {
                referrer_id: referrer.to_owned(),
                page_size: 100,
                page_token: page_token.clone(),
            };
            let page = call!(self.clients.referrals, list_attributions, request)?;
            all.extend(page.attributions);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// All rewards of a referrer, explained down to the last item.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn explain(&self, referrer: &str) -> Result<Vec<referral::ExplainedTotal>, Status> {
        let mut whole: Vec<referral::ExplainedTotal> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = referral::ExplainBalanceRequest {
                referrer_id: referrer.to_owned(),
                page_size: 100,
                page_token: page_token.clone(),
            };
            let page = call!(self.clients.referrals, explain_balance, request)?;
            for mut total in page.totals {
                for reward in total.rewards.iter_mut().filter(|reward| reward.more_items) {
                    reward.items = self.reward_items(reward).await?;
                }
                match whole.iter_mut().find(|known| currency(known) == currency(&total)) {
                    Some(known) => known.rewards.append(&mut total.rewards),
                    None => whole.push(total),
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(whole);
            }
        }
    }

    async fn reward_items(&self, reward: &referral::ExplainedReward) -> Result<Vec<referral::ExplainedItem>, Status> {
        let mut items = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = referral::ListRewardItemsRequest {
                attribution_id: reward.attribution_id.clone(),
                kind: reward.kind,
                currency_code: reward.base.clone().unwrap_or_default().currency_code,
                page_size: 100,
                page_token: page_token.clone(),
            };
            let page = call!(self.clients.referrals, list_reward_items, request)?;
            items.extend(page.items);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(items);
            }
        }
    }

    /// The balances of an account.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn balances(&self, account: &str) -> Result<Vec<payments::Balance>, Status> {
        let request = payments::GetBalancesRequest {
            account_id: account.to_owned(),
            as_of_time: None,
        };
        Ok(call!(self.clients.ledger, get_balances, request)?.balances)
    }

    /// By how much the whole ledger is wrong, in minor units of all currencies and in balances: zero.
    ///
    /// # Errors
    /// If the service refuses.
    pub async fn imbalance(&self) -> Result<u64, Status> {
        let request = payments::GetTrialBalanceRequest {};
        let totals = call!(self.clients.ledger, get_trial_balance, request)?.totals;
        let wrong = |total: &payments::CurrencyTotal| {
            let minor = total.imbalance.as_ref().map_or(0, |money| money.minor_units);
            minor.unsigned_abs() + total.wrong_balances
        };
        Ok(totals.iter().map(wrong).sum())
    }
}

/// The milestones of a fixed-price contract, in the order in which they were agreed; none of another one.
#[must_use]
pub fn fixed_milestones(contract: &payments::Contract) -> Vec<payments::Milestone> {
    match &contract.pay {
        Some(payments::contract::Pay::Fixed(fixed)) => fixed.milestones.clone(),
        _ => Vec::new(),
    }
}

fn currency(total: &referral::ExplainedTotal) -> Option<&str> {
    total.released.as_ref().map(|released| released.currency_code.as_str())
}

fn basic_information(name: &str, email: &str) -> onboarding::BasicInformation {
    onboarding::BasicInformation {
        legal_name: name.to_owned(),
        display_name: name.to_owned(),
        country_code: "PT".to_owned(),
        time_zone: "Europe/Lisbon".to_owned(),
        account_email: email.to_owned(),
    }
}

/// Every request of a story gets an id of its own.
fn request_id() -> String {
    vouch_primitives::RequestId::new().to_string()
}

/// An offer of work with one milestone.
#[must_use]
pub fn terms((title, amount): (&str, Money), start: Timestamp) -> common::ContractTerms {
    let milestone = common::MilestoneTerms {
        title: title.to_owned(),
        amount: Some(amount.into()),
    };
    common::ContractTerms {
        project_name: "Harbour website".to_owned(),
        pay: Some(common::contract_terms::Pay::Fixed(common::FixedPay {
            milestones: vec![milestone],
        })),
        scope_of_work: format!("As agreed on the phone; {title} comes first."),
        schedule: Some(common::Schedule {
            start_time: Some(to_wire_time(start)),
            expected_weekly_hours: 0,
        }),
        payment_terms: "On approval of each milestone.".to_owned(),
    }
}
