//! One of everything that a request can name.

use std::{collections::BTreeMap, time::Duration};

use vouch_primitives::{Money, RequestId, Timestamp};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    invitation::v1 as invitation,
    onboarding::v1 as onboarding,
    payments::v1::{self as payments, contract::Pay},
    referral::v1 as referral,
};
use vouch_suite::{
    Story,
    story::{Company, terms},
};

/// Real things by the name of the field that names them, with the subjects of their owners.
pub struct Things {
    pub ids: BTreeMap<&'static str, String>,
    /// What is the client's where the other one of its name is a person's.
    pub of_client: BTreeMap<&'static str, String>,
    pub client: String,
    pub talent: String,
    pub referrer: String,
}

/// One referral from end to end, so that there is one of everything.
pub async fn things(story: &Story) -> Things {
    let amount = Money::new(100_000, "USD".parse().expect("a currency"));
    let company = story.company("Harbour", "Henri", "henri@harbour.example").await;
    let company = company.expect("a client");
    let (rosa, hours, payout) = hours(story, &company).await;
    let referrer = story.enrol(&rosa).await.expect("a referrer");
    let now = story.clock.now().await.expect("the time");
    let invitation = story.invite(&company, "Ada", "ada@talent.example", ("Logo", amount), now);
    let invitation = invitation.await.expect("an invitation");
    let activated = story.activate("Ada", "ada@talent.example", &referrer.code).await;
    let (ada, case) = activated.expect("an account");
    let contract = story.accept(&case, "Hello").await.expect("a contract");
    let Some(Pay::Fixed(fixed)) = &contract.pay else {
        panic!("not a fixed price: {contract:?}")
    };
    let milestone = fixed.milestones[0].id.clone();
    let earning = story.pay(&milestone).await.expect("an earning");
    story.clock.settle().await.expect("rest");
    let attribution = story.attributions(&referrer.id).await.expect("a list").remove(0);
    let case = as_it_is_now(story, case).await;
    let member = cloud_member(story, &company.id, &invitation.id).await;
    let (project_id, application_id) = application(story, &company.id, &ada.id, terms(("Logo", amount), now)).await;
    tax_form(story, &ada.account_id).await;
    let (task_template_id, task_id) = task(story, &company, &ada.id, now).await;
    let (bonus_payment_id, dispute_id) = bonus_in_dispute(story, &contract.id, amount).await;
    let signal = signal(story, &referrer.id, "Dora", "dora@moment.example", &referrer.code).await;
    let (billing_method_id, charge_id) = billing(story, &company.id).await;
    let ids = BTreeMap::from([
        ("client_programme_id", client_programme(story, &company.id).await),
        ("billing_method_id", billing_method_id),
        ("charge_id", charge_id),
        ("client_refund_id", client_refund(story, &contract.id).await),
        ("signal_id", signal),
        ("bonus_payment_id", bonus_payment_id),
        ("dispute_id", dispute_id),
        ("payout_id", payout.id),
        ("payout_method_id", payout.payout_method_id),
        ("task_template_id", task_template_id),
        ("task_id", task_id),
        ("project_id", project_id),
        ("application_id", application_id),
        ("client_id", company.id.clone()),
        ("person_id", ada.id.clone()),
        ("account_id", ada.account_id.clone()),
        ("invitation_id", invitation.id),
        ("talent_cloud_id", member.talent_cloud_id),
        ("member_id", member.id),
        ("case_id", case.id.clone()),
        ("room_id", room_of(&case)),
        ("document_id", document(story, &ada.id).await),
        ("contract_id", contract.id.clone()),
        ("hourly_contract_id", hours.contract_id),
        ("time_entry_id", hours.time_entry_id),
        ("invoice_id", hours.invoice_id),
        ("milestone_id", milestone),
        ("earning_id", earning),
        ("referrer_id", referrer.id),
        ("attribution_id", attribution.id),
    ]);
    Things {
        ids,
        of_client: vouching(story, &company.id).await,
        client: format!("client:{}", company.id),
        talent: format!("person:{}", ada.id),
        referrer: format!("person:{}", rosa.id),
    }
}

async fn as_it_is_now(story: &Story, case: onboarding::Case) -> onboarding::Case {
    let request = onboarding::GetCaseRequest { case_id: case.id };
    let case = story.clients.cases.clone().get_case(request).await.expect("the case");
    case.into_inner().case.expect("a case")
}

/// What a client pays for introductions to it.
async fn client_programme(story: &Story, client_id: &str) -> String {
    let request = referral::OpenClientProgrammeRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.to_owned(),
        reward: Some(money(5_000)),
        qualification: i32::from(referral::terms::Qualification::Contract),
        hold_days: 0,
        budget: Some(money(50_000)),
    };
    let opened = story
        .clients
        .client_programmes
        .clone()
        .open_client_programme(request)
        .await;
    opened.expect("opened").into_inner().programme.expect("a programme").id
}

/// What there is of a client that vouches for somebody.
async fn vouching(story: &Story, client_id: &str) -> BTreeMap<&'static str, String> {
    let request = referral::EnrolReferrerRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.to_owned(),
        ..Default::default()
    };
    let enrolled = story.clients.referrals.clone().enrol_referrer(request).await;
    let referrer = enrolled.expect("enrolled").into_inner().referrer.expect("a referrer");
    let signal = signal(story, &referrer.id, "Cleo", "cleo@moment.example", &referrer.code).await;
    let attribution = story.attributions(&referrer.id).await.expect("a list").remove(0);
    BTreeMap::from([
        ("referrer_id", referrer.id),
        ("attribution_id", attribution.id),
        ("signal_id", signal),
    ])
}

/// Somebody signs up with an address for a moment: the signal that this raises about their referrer.
async fn signal(story: &Story, referrer_id: &str, name: &str, email: &str, code: &str) -> String {
    let mut signals = story.clients.signals.clone();
    let request = referral::AddDisposableDomainRequest {
        request_id: RequestId::new().to_string(),
        domain: "moment.example".to_owned(),
    };
    signals.add_disposable_domain(request).await.expect("added");
    story.register(name, email, code).await.expect("an account");
    story.clock.settle().await.expect("rest");
    let request = referral::ListReferrerSignalsRequest {
        referrer_id: referrer_id.to_owned(),
        ..Default::default()
    };
    let listed = signals
        .list_referrer_signals(request)
        .await
        .expect("a list")
        .into_inner();
    listed.signals.into_iter().next().expect("a signal").id
}

/// Work by the hour.
struct Hours {
    contract_id: String,
    /// Of the week that is open.
    time_entry_id: String,
    /// For the week before.
    invoice_id: String,
}

/// Rosa, who has worked by the hour for this company until now: Monday noon, a week after everything began. What she was
/// given meanwhile is on its way out.
async fn hours(story: &Story, company: &Company) -> (onboarding::Person, Hours, payments::Payout) {
    let now = story.clock.now().await.expect("the time");
    let rate = Money::new(6_000, "USD".parse().expect("a currency"));
    let by_the_hour = common::contract_terms::Pay::Hourly(common::HourlyPay {
        rate: Some(rate.into()),
        weekly_limit_minutes: 2_400,
    });
    let terms = common::ContractTerms {
        pay: Some(by_the_hour),
        ..terms(("Texts", rate), now)
    };
    let email = "rosa@talent.example";
    let request = invitation::SendInvitationRequest {
        request_id: RequestId::new().to_string(),
        client_id: company.id.clone(),
        talent_type: invitation::TalentType::Freelancer.into(),
        recipient_email: email.to_owned(),
        recipient_name: "Rosa".to_owned(),
        content: Some(invitation::send_invitation_request::Content::ContractTerms(terms)),
        ..invitation::SendInvitationRequest::default()
    };
    let mut invitations = story.clients.invitations.clone();
    invitations.send_invitation(request).await.expect("an invitation");
    let (rosa, case) = story.activate("Rosa", email, "").await.expect("an account");
    let contract_id = story.accept(&case, "Hello").await.expect("a contract").id;
    let payout_method = payout_method(story, &rosa.account_id, &contract_id).await;
    let hour = Duration::from_secs(3_600);
    let (first, monday) = (now.saturating_add(hour), now.add_days(7).saturating_add(3 * hour));
    let mut entries = Vec::new();
    for until in [first, monday] {
        story.clock.advance_to(until, |_| ()).await.expect("the time moves");
        let request = payments::AddTimeEntryRequest {
            request_id: RequestId::new().to_string(),
            contract_id: contract_id.clone(),
            start_time: Some(to_wire_time(until.saturating_sub(hour))),
            end_time: Some(to_wire_time(until)),
            ..payments::AddTimeEntryRequest::default()
        };
        let added = story.clients.times.clone().add_time_entry(request).await;
        entries.extend(added.expect("an entry").into_inner().time_entry);
    }
    let request = payments::ListInvoicesRequest {
        party: Some(payments::list_invoices_request::Party::AccountId(
            rosa.account_id.clone(),
        )),
        ..payments::ListInvoicesRequest::default()
    };
    let listed = story.clients.invoices.clone().list_invoices(request).await;
    let hours = Hours {
        contract_id,
        time_entry_id: entries.remove(1).id,
        invoice_id: listed.expect("a list").into_inner().invoices.remove(0).id,
    };
    let payout = payout(story, &payout_method).await;
    (rosa, hours, payout)
}

/// Who has accepted this invitation, in a talent cloud.
async fn cloud_member(story: &Story, client_id: &str, invitation_id: &str) -> invitation::TalentCloudMember {
    let mut clouds = story.clients.clouds.clone();
    let request = invitation::CreateTalentCloudRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.to_owned(),
        name: "Friends".to_owned(),
    };
    let cloud = clouds.create_talent_cloud(request).await.expect("a cloud").into_inner();
    let request = invitation::AddTalentCloudMemberRequest {
        request_id: RequestId::new().to_string(),
        talent_cloud_id: cloud.talent_cloud.expect("a cloud").id,
        invitation_id: invitation_id.to_owned(),
    };
    let added = clouds
        .add_talent_cloud_member(request)
        .await
        .expect("a member")
        .into_inner();
    added.member.expect("a member")
}

/// A project of this client, and the application of this person for it.
async fn application(
    story: &Story,
    client_id: &str,
    person_id: &str,
    terms: common::ContractTerms,
) -> (String, String) {
    let request = invitation::CreateProjectRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.to_owned(),
        terms: Some(terms),
        ..invitation::CreateProjectRequest::default()
    };
    let mut projects = story.clients.projects.clone();
    let created = projects.create_project(request).await.expect("a project").into_inner();
    let project_id = created.project.expect("a project").id;
    let request = invitation::PublishProjectRequest {
        request_id: RequestId::new().to_string(),
        project_id: project_id.clone(),
    };
    projects.publish_project(request).await.expect("published");
    let request = invitation::ApplyRequest {
        request_id: RequestId::new().to_string(),
        project_id: project_id.clone(),
        person_id: person_id.to_owned(),
        applicant_name: "Ada".to_owned(),
        contact_email: "ada@talent.example".to_owned(),
        message: "I would like to".to_owned(),
        share_id: String::new(),
    };
    let applied = story
        .clients
        .applications
        .clone()
        .apply(request)
        .await
        .expect("applied");
    (project_id, applied.into_inner().application.expect("an application").id)
}

/// A template of this company, and the task of somebody who has another offer of its.
async fn task(story: &Story, company: &Company, person_id: &str, now: Timestamp) -> (String, String) {
    use onboarding::{AgreementForm, TaskForm, TaskOwner, TaskTemplateContent, task_form::Form};
    let mut content = TaskTemplateContent {
        title: "NDA".to_owned(),
        why: "Our plans are ours.".to_owned(),
        form: Some(TaskForm {
            form: Some(Form::Agreement(AgreementForm {
                text_version: "1".to_owned(),
                text: "I say nothing.".to_owned(),
            })),
        }),
        ..TaskTemplateContent::default()
    };
    content.set_owner(TaskOwner::Talent);
    let request = onboarding::CreateTaskTemplateRequest {
        request_id: RequestId::new().to_string(),
        client_id: company.id.clone(),
        content: Some(content),
    };
    let created = story.clients.task_templates.clone().create_task_template(request).await;
    let template = created.expect("a template").into_inner().template.expect("a template");
    let amount = Money::new(1_000, "USD".parse().expect("a currency"));
    let offer = story.invite(company, "Ada", "ada@talent.example", ("More", amount), now);
    offer.await.expect("an offer");
    let case = story.open_case(person_id).await.expect("a case");
    let request = onboarding::ListTasksRequest {
        case_id: case.id,
        ..Default::default()
    };
    let tasks = story.clients.tasks.clone().list_tasks(request).await.expect("tasks");
    (template.id, tasks.into_inner().tasks.remove(0).id)
}

/// A bonus of this contract that the client has paid.
async fn bonus(story: &Story, contract_id: &str, amount: Money) -> payments::BonusPayment {
    let request = payments::PayBonusRequest {
        request_id: RequestId::new().to_string(),
        contract_id: contract_id.to_owned(),
        amount: Some(amount.into()),
        message: "Thank you".to_owned(),
    };
    let mut bonuses = story.clients.bonuses.clone();
    let given = bonuses.pay_bonus(request).await.expect("given").into_inner();
    story.until_charged(&given.charge_id).await.expect("paid");
    let request = payments::GetBonusPaymentRequest {
        bonus_payment_id: given.bonus_payment.expect("a bonus payment").id,
    };
    let paid = bonuses.get_bonus_payment(request).await.expect("read").into_inner();
    paid.bonus_payment.expect("a bonus payment")
}

/// What has gone back of a bonus: it has the id of the reversal.
async fn client_refund(story: &Story, contract_id: &str) -> String {
    let amount = Money::new(100, "USD".parse().expect("a currency"));
    let request = payments::RefundEarningRequest {
        request_id: RequestId::new().to_string(),
        earning_id: bonus(story, contract_id, amount).await.earning_id,
        amount: Some(amount.into()),
    };
    let refunded = story.clients.earnings.clone().refund_earning(request).await;
    refunded.expect("refunded").into_inner().reversal_id
}

/// A bonus of this contract, and the open dispute about it.
async fn bonus_in_dispute(story: &Story, contract_id: &str, amount: Money) -> (String, String) {
    let bonus = bonus(story, contract_id, amount).await;
    let request = payments::OpenDisputeRequest {
        request_id: RequestId::new().to_string(),
        earning_id: bonus.earning_id,
        amount: Some(amount.into()),
        reason: payments::dispute::Reason::PaidByMistake.into(),
        description: "Twice".to_owned(),
    };
    let opened = story.clients.disputes.clone().open_dispute(request).await;
    let dispute = opened.expect("opened").into_inner().dispute.expect("a dispute");
    (bonus.id, dispute.id)
}

/// A way out for this account's money, and some money, which is available five days later.
async fn payout_method(story: &Story, account_id: &str, contract_id: &str) -> payments::PayoutMethod {
    tax_form(story, account_id).await;
    let request = payments::PayBonusRequest {
        request_id: RequestId::new().to_string(),
        contract_id: contract_id.to_owned(),
        amount: Some(money(100_000)),
        message: "Welcome".to_owned(),
    };
    story.clients.bonuses.clone().pay_bonus(request).await.expect("paid");
    let request = payments::AddPayoutMethodRequest {
        request_id: RequestId::new().to_string(),
        account_id: account_id.to_owned(),
        kind: payments::PayoutMethodKind::BankTransfer.into(),
        currency_code: "USD".to_owned(),
        provider_token: "btok-rosa".to_owned(),
    };
    let added = story.clients.payouts.clone().add_payout_method(request).await;
    added.expect("added").into_inner().payout_method.expect("a method")
}

/// Money on its way to this method.
async fn payout(story: &Story, method: &payments::PayoutMethod) -> payments::Payout {
    let request = payments::WithdrawRequest {
        request_id: RequestId::new().to_string(),
        account_id: method.account_id.clone(),
        payout_method_id: method.id.clone(),
        what: Some(payments::withdraw_request::What::Amount(money(50_000))),
    };
    let withdrawn = story.clients.payouts.clone().withdraw(request).await;
    withdrawn.expect("withdrawn").into_inner().payout.expect("a payout")
}

fn money(minor_units: i64) -> common::Money {
    common::Money {
        currency_code: "USD".to_owned(),
        minor_units,
    }
}

/// A billing method of this client, and a charge that succeeded.
async fn billing(story: &Story, client_id: &str) -> (String, String) {
    let request = payments::AddBillingMethodRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.to_owned(),
        instrument: "sandbox-accepts".to_owned(),
        label: "Company card".to_owned(),
        make_default: false,
    };
    let added = story.clients.billing.clone().add_billing_method(request).await;
    let method = added
        .expect("added")
        .into_inner()
        .billing_method
        .expect("a billing method");
    let request = payments::ListChargesRequest {
        client_id: client_id.to_owned(),
        ..payments::ListChargesRequest::default()
    };
    let listed = story.clients.charges.clone().list_charges(request).await;
    (method.id, listed.expect("a list").into_inner().charges.remove(0).id)
}

/// A tax form of this account.
async fn tax_form(story: &Story, account_id: &str) {
    let address = common::TaxAddress {
        street: "Rua 1".to_owned(),
        city: "Lisbon".to_owned(),
        country_code: "PT".to_owned(),
        ..Default::default()
    };
    let w9 = common::W9Form {
        name: "Ada".to_owned(),
        classification: common::TaxClassification::Individual.into(),
        address: Some(address),
        tin: Some(common::w9_form::Tin::Ssn("123456789".to_owned())),
        ..Default::default()
    };
    let form = common::TaxForm {
        form: Some(common::tax_form::Form::W9(w9)),
        signature: "Ada".to_owned(),
        perjury_acknowledged: true,
    };
    let request = onboarding::SubmitTaxInformationRequest {
        request_id: RequestId::new().to_string(),
        account_id: account_id.to_owned(),
        form: Some(form),
    };
    let submitted = story.clients.taxes.clone().submit_tax_information(request).await;
    submitted.expect("taken");
}

/// A document of this person, which was released.
async fn document(story: &Story, person_id: &str) -> String {
    let mut documents = story.clients.documents.clone();
    let whole = onboarding::UploadDocumentRequest {
        request_id: RequestId::new().to_string(),
        person_id: person_id.to_owned(),
        file_name: "diploma.pdf".to_owned(),
        data: b"%PDF-1.7\n%%EOF\n".to_vec(),
        last: true,
        ..onboarding::UploadDocumentRequest::default()
    };
    let answers = documents.upload_document(futures::stream::iter([whole])).await;
    let answer = answers.expect("a stream").into_inner().message().await.expect("kept");
    let document_id = answer.and_then(|answer| answer.document).expect("a document").id;
    let request = onboarding::ReleaseDocumentRequest {
        request_id: RequestId::new().to_string(),
        document_id: document_id.clone(),
    };
    documents.release_document(request).await.expect("released");
    document_id
}

fn room_of(case: &onboarding::Case) -> String {
    let offer = case.offer.as_ref().expect("an offer");
    offer.room_id.clone()
}
