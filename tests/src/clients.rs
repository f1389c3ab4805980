//! Typed connections to the four services.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Status, transport::Endpoint};
use vouch_proto::{
    invitation::v1::{client_service_client::ClientServiceClient, invitation_service_client::InvitationServiceClient},
    onboarding::v1::{account_service_client::AccountServiceClient, case_service_client::CaseServiceClient},
    operations::v1::{
        fail_point_service_client::FailPointServiceClient, operations_service_client::OperationsServiceClient,
    },
    payments::v1::{
        contract_service_client::ContractServiceClient, earning_service_client::EarningServiceClient,
        ledger_service_client::LedgerServiceClient,
    },
    referral::v1::referral_service_client::ReferralServiceClient,
};
use vouch_runtime::{
    access::{Caller, Signed, Signer},
    config::AccessConfig,
};

use crate::{Error, SERVICES};

/// How long a call is sent again whose outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Connections to the four services. Clones share them.
#[derive(Clone, Debug)]
pub struct Clients {
    /// `vouch.invitation.v1.ClientService`.
    pub clients: ClientServiceClient<Signed>,
    /// `vouch.invitation.v1.InvitationService`.
    pub invitations: InvitationServiceClient<Signed>,
    /// `vouch.onboarding.v1.AccountService`.
    pub accounts: AccountServiceClient<Signed>,
    /// `vouch.onboarding.v1.CaseService`.
    pub cases: CaseServiceClient<Signed>,
    /// `vouch.payments.v1.ContractService`.
    pub contracts: ContractServiceClient<Signed>,
    /// `vouch.payments.v1.EarningService`.
    pub earnings: EarningServiceClient<Signed>,
    /// `vouch.payments.v1.LedgerService`.
    pub ledger: LedgerServiceClient<Signed>,
    /// `vouch.referral.v1.ReferralService`.
    pub referrals: ReferralServiceClient<Signed>,
    /// `vouch.operations.v1.OperationsService` of each, in the order of [`SERVICES`].
    pub operations: [OperationsServiceClient<Signed>; 4],
    /// `vouch.operations.v1.FailPointService` of each, in the order of [`SERVICES`].
    pub fail_points: [FailPointServiceClient<Signed>; 4],
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
                .connect_lazy();
            Ok(signer.clone().on(channel))
        };
        let [invitation, onboarding, payments, referral] = addresses;
        let (invitation, onboarding) = (channel(invitation)?, channel(onboarding)?);
        let (payments, referral) = (channel(payments)?, channel(referral)?);
        Ok(Self {
            clients: ClientServiceClient::new(invitation.clone()),
            invitations: InvitationServiceClient::new(invitation.clone()),
            accounts: AccountServiceClient::new(onboarding.clone()),
            cases: CaseServiceClient::new(onboarding.clone()),
            contracts: ContractServiceClient::new(payments.clone()),
            earnings: EarningServiceClient::new(payments.clone()),
            ledger: LedgerServiceClient::new(payments.clone()),
            referrals: ReferralServiceClient::new(referral.clone()),
            operations: [&invitation, &onboarding, &payments, &referral]
                .map(|at| OperationsServiceClient::new(at.clone())),
            fail_points: [invitation, onboarding, payments, referral].map(FailPointServiceClient::new),
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
