//! Typed connections to the four services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tonic::{Code, Status, transport::Endpoint};
use tonic_types::StatusExt;
use vouch_proto::{
    invitation::v1::{
        application_service_client::ApplicationServiceClient, client_service_client::ClientServiceClient,
        invitation_service_client::InvitationServiceClient, project_service_client::ProjectServiceClient,
        talent_cloud_service_client::TalentCloudServiceClient,
    },
    onboarding::v1::{
        account_service_client::AccountServiceClient, case_service_client::CaseServiceClient,
        document_service_client::DocumentServiceClient, task_service_client::TaskServiceClient,
        task_template_service_client::TaskTemplateServiceClient, tax_service_client::TaxServiceClient,
    },
    operations::v1::{
        fail_point_service_client::FailPointServiceClient, operations_service_client::OperationsServiceClient,
    },
    payments::v1::{
        billing_service_client::BillingServiceClient, bonus_service_client::BonusServiceClient,
        charge_service_client::ChargeServiceClient, contract_service_client::ContractServiceClient,
        dispute_service_client::DisputeServiceClient, earning_service_client::EarningServiceClient,
        invoice_service_client::InvoiceServiceClient, ledger_service_client::LedgerServiceClient,
        payout_service_client::PayoutServiceClient, time_service_client::TimeServiceClient,
    },
    referral::v1::{
        client_programme_service_client::ClientProgrammeServiceClient, referral_service_client::ReferralServiceClient,
        signal_service_client::SignalServiceClient,
    },
};
use vouch_runtime::{
    access::{Caller, Signed, Signer},
    config::AccessConfig,
};

use crate::{Error, SERVICES};

/// How long a call is sent again whose outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Connections to the four services. Clones share them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// `vouch.invitation.v1.ClientService`.
    pub clients: ClientServiceClient<Signed>,
    /// `vouch.invitation.v1.InvitationService`.
    pub invitations: InvitationServiceClient<Signed>,
    /// `vouch.invitation.v1.TalentCloudService`.
    pub clouds: TalentCloudServiceClient<Signed>,
    /// `vouch.invitation.v1.ProjectService`.
    pub projects: ProjectServiceClient<Signed>,
    /// `vouch.invitation.v1.ApplicationService`.
    pub applications: ApplicationServiceClient<Signed>,
    /// `vouch.onboarding.v1.AccountService`.
    pub accounts: AccountServiceClient<Signed>,
    /// `vouch.onboarding.v1.CaseService`.
    pub cases: CaseServiceClient<Signed>,
    /// `vouch.onboarding.v1.DocumentService`.
    pub documents: DocumentServiceClient<Signed>,
    /// Tax forms, as talent hands them in.
    pub taxes: TaxServiceClient<Signed>,
    /// Tasks of cases.
    pub tasks: TaskServiceClient<Signed>,
    /// Where tasks come from.
    pub task_templates: TaskTemplateServiceClient<Signed>,
    /// `vouch.payments.v1.ContractService`.
    pub contracts: ContractServiceClient<Signed>,
    /// `vouch.payments.v1.BillingService`.
    pub billing: BillingServiceClient<Signed>,
    /// `vouch.payments.v1.ChargeService`.
    pub charges: ChargeServiceClient<Signed>,
    /// `vouch.payments.v1.BonusService`.
    pub bonuses: BonusServiceClient<Signed>,
    /// `vouch.payments.v1.PayoutService`.
    pub payouts: PayoutServiceClient<Signed>,
    /// `vouch.payments.v1.DisputeService`.
    pub disputes: DisputeServiceClient<Signed>,
    /// `vouch.payments.v1.EarningService`.
    pub earnings: EarningServiceClient<Signed>,
    /// `vouch.payments.v1.TimeService`.
    pub times: TimeServiceClient<Signed>,
    /// `vouch.payments.v1.InvoiceService`.
    pub invoices: InvoiceServiceClient<Signed>,
    /// `vouch.payments.v1.LedgerService`.
    pub ledger: LedgerServiceClient<Signed>,
    /// `vouch.referral.v1.ReferralService`.
    pub referrals: ReferralServiceClient<Signed>,
    /// `vouch.referral.v1.ClientProgrammeService`.
    pub client_programmes: ClientProgrammeServiceClient<Signed>,
    /// `vouch.referral.v1.SignalService`.
    pub signals: SignalServiceClient<Signed>,
    /// `vouch.operations.v1.OperationsService` of each, in the order of [`SERVICES`].
    pub operations: [OperationsServiceClient<Signed>; 4],
    /// `vouch.operations.v1.FailPointService` of each, in the order of [`SERVICES`].
    pub fail_points: [FailPointServiceClient<Signed>; 4],
    /// What became of the calls of a [`Story`](crate::Story).
    pub tally: Tally,
}

/// What became of calls, try by try. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Tried>>);

/// What became of calls so far.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Tries that were answered with what was asked for.
    pub answered: u64,
    /// How often a try was refused, by code and reason (`Unavailable DATABASE_UNAVAILABLE`); where there is no reason it was
    /// not a service that refused it, and the message stands there.
    pub refused: BTreeMap<String, u64>,
    /// The longest that a try took.
    pub slowest: Duration,
}

impl Tally {
    /// What has come together since it was last taken.
    #[must_use]
    pub fn take(&self) -> Tried {
        std::mem::take(&mut *self.tried())
    }

    pub(crate) async fn watch<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let began = Instant::now();
        let outcome = call.await;
        let mut tried = self.tried();
        tried.slowest = tried.slowest.max(began.elapsed());
        match &outcome {
            Ok(_) => tried.answered += 1,
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason);
                let reason = reason.unwrap_or_else(|| status.message().to_owned());
                *tried
                    .refused
                    .entry(format!("{:?} {reason}", status.code()))
                    .or_default() += 1;
            }
        }
        outcome
    }

    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Connects to these addresses (`http://127.0.0.1:7101` …), in the order of [`SERVICES`]; connections are made when
    /// they are first used. Calls are an operator's, signed with a key of `access`, unless they carry another token.
    ///
    /// # Errors
    /// If one is no address.
    pub fn connect(addresses: &[String; SERVICES.len()], access: &AccessConfig) -> Result<Self, Error> {
        let signer = Signer::new(access, Caller::Operator("local".to_owned()));
        let channel = |address: &String| -> Result<Signed, Error> {
            let endpoint = Endpoint::from_shared(address.clone())?;
            let channel = endpoint
                .connect_timeout(Duration::from_secs(2))
                .timeout(Duration::from_secs(10))
                // A connection that is only half there is given up soon.
                .http2_keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .connect_lazy();
            Ok(signer.clone().on(channel))
        };
        let [invitation, onboarding, payments, referral] = addresses;
        let (invitation, onboarding) = (channel(invitation)?, channel(onboarding)?);
        let (payments, referral) = (channel(payments)?, channel(referral)?);
        Ok(Self {
            clients: ClientServiceClient::new(invitation.clone()),
            invitations: InvitationServiceClient::new(invitation.clone()),
            clouds: TalentCloudServiceClient::new(invitation.clone()),
            projects: ProjectServiceClient::new(invitation.clone()),
            applications: ApplicationServiceClient::new(invitation.clone()),
            accounts: AccountServiceClient::new(onboarding.clone()),
            cases: CaseServiceClient::new(onboarding.clone()),
            documents: DocumentServiceClient::new(onboarding.clone()),
            taxes: TaxServiceClient::new(onboarding.clone()),
            tasks: TaskServiceClient::new(onboarding.clone()),
            task_templates: TaskTemplateServiceClient::new(onboarding.clone()),
            contracts: ContractServiceClient::new(payments.clone()),
            billing: BillingServiceClient::new(payments.clone()),
            charges: ChargeServiceClient::new(payments.clone()),
            bonuses: BonusServiceClient::new(payments.clone()),
            payouts: PayoutServiceClient::new(payments.clone()),
            disputes: DisputeServiceClient::new(payments.clone()),
            earnings: EarningServiceClient::new(payments.clone()),
            times: TimeServiceClient::new(payments.clone()),
            invoices: InvoiceServiceClient::new(payments.clone()),
            ledger: LedgerServiceClient::new(payments.clone()),
            referrals: ReferralServiceClient::new(referral.clone()),
            client_programmes: ClientProgrammeServiceClient::new(referral.clone()),
            signals: SignalServiceClient::new(referral.clone()),
            operations: [&invitation, &onboarding, &payments, &referral]
                .map(|at| OperationsServiceClient::new(at.clone())),
            fail_points: [invitation, onboarding, payments, referral].map(FailPointServiceClient::new),
            tally: Tally::default(),
        })
    }
}

/// Sends a call until its outcome is known. The same request with the same id is sent again, so that it takes effect
/// once however often it arrives.
///
/// # Errors
/// The status, once it is definite or patience has run out.
pub async fn until_definite<T, F>(mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(status) if unknown(&status) && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Whether the call may have taken effect, or may do so when it is sent again.
fn unknown(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
    )
}
