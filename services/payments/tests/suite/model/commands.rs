//! Every command of a script as the request that it is, and what its answer says.

use serde_json::{Value, json};
use tonic::Status;
use vouch_primitives::{AccountId, Timestamp};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    onboarding::v1::{OfferAccepted, offer_accepted},
    payments::v1::{self as pb, dispute::Reason, record_chargeback_request::Payment, resolve_dispute_request::Outcome},
};

use super::{
    driver::{Driver, earning_name, id_of, number, text},
    looks::{earning_view, micros, milestone_view, minor},
    names::given,
};
use crate::world::{fixed_offer, milestones, money, offer, released, request_id};

pub type Answer = Result<Value, Status>;

fn wire(line: &Value, key: &str) -> Option<prost_types::Timestamp> {
    Some(to_wire_time(Timestamp::from_micros(number(line, key))))
}

pub fn amount(line: &Value, key: &str) -> Option<common::Money> {
    let amount = line.get(key)?;
    Some(money(amount[1].as_str()?, amount[0].as_i64()?))
}

impl Driver {
    pub async fn command(&self, command: &str, it: &Value) -> Answer {
        match command {
            "offer" => Ok(self.offer(it).await),
            "reward" => Ok(self.reward(it).await),
            "pause" | "resume" | "end" | "limit" => self.contract(command, it).await,
            "add_time" | "change_time" | "remove_time" => self.time(command, it).await,
            "create_milestone" => self.create_milestone(it).await,
            "fund" | "submit" | "request_changes" | "cancel_milestone" | "refund_escrow" | "approve" => {
                self.milestone(command, it).await
            }
            "bonus" => self.bonus(it).await,
            "refund" => self.refund(it).await,
            "dispute" | "resolve" | "withdraw_dispute" => self.dispute(command, it).await,
            "note" => self.note(it).await,
            "chargeback" => self.chargeback(it).await,
            "tax_form" | "way_out" | "withdraw" | "cancel_payout" => self.out(command, it).await,
            "reverse_chargeback" => self.reverse_chargeback(it).await,
            other => panic!("nobody knows how to {other}"),
        }
    }

    fn id(&self, it: &Value, key: &str) -> String {
        self.names.id_or_none_there_is(text(it, key))
    }

    async fn offer(&self, it: &Value) -> Value {
        let (name, pay) = (text(it, "contract"), &it["pay"]);
        let (account, currency) = (AccountId::from_uuid(given(text(it, "account"))), text(pay, "currency"));
        let mut event = match pay["milestones"].as_array() {
            Some(amounts) => {
                let terms = amounts
                    .iter()
                    .map(|minor| ("Work", money(currency, minor.as_i64().expect("minor units"))));
                fixed_offer(account, &terms.collect::<Vec<_>>())
            }
            None => offer(account, other_pay(pay, currency)),
        };
        event = OfferAccepted {
            person_id: id_of(text(it, "person")),
            client_id: id_of(text(it, "client")),
            start_time: wire(it, "start"),
            accept_time: wire(it, "at"),
            ..event
        };
        self.hear(&event).await;
        let contract = self.world.contract_of(&event.contract_id).await;
        self.names.learn(name, &contract.id);
        self.names.learn(&format!("account of {name}"), &contract.account_id);
        if let Some(pb::contract::Pay::Fixed(_)) = contract.pay {
            for (number, milestone) in milestones(&contract).iter().enumerate() {
                self.names.learn(&format!("{name}/m{number}"), &milestone.id);
            }
        }
        json!({})
    }

    async fn reward(&self, it: &Value) -> Value {
        let cumulative = amount(it, "cumulative").expect("a total");
        let numbers = (number(it, "epoch"), number(it, "sequence"));
        let release = released(
            given(text(it, "tie")),
            AccountId::from_uuid(given(text(it, "account"))),
            cumulative,
            numbers,
        );
        self.hear(&release).await;
        json!({})
    }

    async fn contract(&self, command: &str, it: &Value) -> Answer {
        let (contract_id, reason, request_id) = (self.id(it, "contract"), "It is so".to_owned(), request_id());
        let contracts = &self.world.contracts;
        let contract = match command {
            "pause" => {
                let request = pb::PauseContractRequest {
                    request_id,
                    contract_id,
                    reason,
                };
                let send = async |request| contracts.clone().pause_contract(request).await;
                self.call(request, send).await?.contract
            }
            "resume" => {
                let request = pb::ResumeContractRequest {
                    request_id,
                    contract_id,
                };
                let send = async |request| contracts.clone().resume_contract(request).await;
                self.call(request, send).await?.contract
            }
            "end" => {
                let request = pb::EndContractRequest {
                    request_id,
                    contract_id,
                    reason,
                };
                let send = async |request| contracts.clone().end_contract(request).await;
                self.call(request, send).await?.contract
            }
            _ => {
                let weekly_limit_minutes = u32::try_from(number(it, "minutes")).expect("minutes");
                let request = pb::ChangeWeeklyLimitRequest {
                    request_id,
                    contract_id,
                    weekly_limit_minutes,
                };
                let send = async |request| contracts.clone().change_weekly_limit(request).await;
                self.call(request, send).await?.contract
            }
        };
        Ok(contract_view(&contract.expect("a contract")))
    }

    async fn time(&self, command: &str, it: &Value) -> Answer {
        let times = &self.world.times;
        let request_id = request_id();
        if command == "remove_time" {
            let request = pb::RemoveTimeEntryRequest {
                request_id,
                time_entry_id: self.id(it, "entry"),
            };
            let send = async |request| times.clone().remove_time_entry(request).await;
            self.call(request, send).await?;
            return Ok(json!({}));
        }
        let (start_time, end_time, description) = (wire(it, "from"), wire(it, "to"), "Drafts".to_owned());
        let entry = if command == "add_time" {
            let (contract_id, tracked) = (self.id(it, "contract"), it["tracked"] == true);
            let request = pb::AddTimeEntryRequest {
                request_id,
                contract_id,
                start_time,
                end_time,
                tracked,
                description,
            };
            let send = async |request| times.clone().add_time_entry(request).await;
            let entry = self.call(request, send).await?.time_entry.expect("an entry");
            self.names.learn(text(it, "as"), &entry.id);
            entry
        } else {
            let time_entry_id = self.id(it, "entry");
            let request = pb::ChangeTimeEntryRequest {
                request_id,
                time_entry_id,
                start_time,
                end_time,
                description,
            };
            let send = async |request| times.clone().change_time_entry(request).await;
            self.call(request, send).await?.time_entry.expect("an entry")
        };
        Ok(json!({"tracked": entry.tracked, "closes": micros(entry.close_time.as_ref())}))
    }

    async fn create_milestone(&self, it: &Value) -> Answer {
        let request = pb::CreateMilestoneRequest {
            request_id: request_id(),
            contract_id: self.id(it, "contract"),
            title: "More".to_owned(),
            amount: amount(it, "amount"),
        };
        let send = async |request| self.world.contracts.clone().create_milestone(request).await;
        let milestone = self.call(request, send).await?.milestone.expect("a milestone");
        self.names.learn(text(it, "as"), &milestone.id);
        Ok(milestone_view(&milestone))
    }

    async fn milestone(&self, command: &str, it: &Value) -> Answer {
        let (request_id, milestone_id) = (request_id(), self.id(it, "milestone"));
        let (contracts, message) = (&self.world.contracts, "As we said".to_owned());
        let milestone = match command {
            "fund" => {
                let request = pb::FundMilestoneRequest {
                    request_id,
                    milestone_id,
                };
                let send = async |request| contracts.clone().fund_milestone(request).await;
                Some(self.funded(self.call(request, send).await?).await)
            }
            "submit" => {
                let request = pb::SubmitMilestoneRequest {
                    request_id,
                    milestone_id,
                    message,
                };
                let send = async |request| contracts.clone().submit_milestone(request).await;
                self.call(request, send).await?.milestone
            }
            "request_changes" => {
                let request = pb::RequestChangesRequest {
                    request_id,
                    milestone_id,
                    message,
                };
                let send = async |request| contracts.clone().request_changes(request).await;
                self.call(request, send).await?.milestone
            }
            "cancel_milestone" => {
                let request = pb::CancelMilestoneRequest {
                    request_id,
                    milestone_id,
                };
                let send = async |request| contracts.clone().cancel_milestone(request).await;
                self.call(request, send).await?.milestone
            }
            "refund_escrow" => {
                let request = pb::RefundEscrowRequest {
                    request_id,
                    milestone_id,
                };
                let send = async |request| contracts.clone().refund_escrow(request).await;
                self.call(request, send).await?.milestone
            }
            _ => {
                let request = pb::ApproveMilestoneRequest {
                    request_id,
                    milestone_id,
                };
                let send = async |request| contracts.clone().approve_milestone(request).await;
                self.call(request, send).await?.milestone
            }
        };
        let milestone = milestone.expect("a milestone");
        if !milestone.earning_id.is_empty() {
            self.names
                .learn(&earning_name(text(it, "milestone")), &milestone.earning_id);
        }
        Ok(milestone_view(&milestone))
    }

    async fn bonus(&self, it: &Value) -> Answer {
        let request = pb::PayBonusRequest {
            request_id: request_id(),
            contract_id: self.id(it, "contract"),
            amount: amount(it, "amount"),
            message: "Well done".to_owned(),
        };
        let send = async |request| self.world.bonuses.clone().pay_bonus(request).await;
        let begun = self.call(request, send).await?;
        self.world.until_charged(&begun.charge_id).await;
        let request = pb::GetBonusPaymentRequest {
            bonus_payment_id: begun.bonus_payment.expect("a bonus payment").id,
        };
        let found = self.world.bonuses.clone().get_bonus_payment(request).await;
        let bonus = found
            .expect("an answer")
            .into_inner()
            .bonus_payment
            .expect("a bonus payment");
        self.names.learn(text(it, "as"), &bonus.id);
        if !bonus.earning_id.is_empty() {
            self.names.learn(&earning_name(text(it, "as")), &bonus.earning_id);
        }
        Ok(json!({"earned": !bonus.earning_id.is_empty()}))
    }

    /// The milestone, once the client has paid for it or could not.
    async fn funded(&self, begun: pb::FundMilestoneResponse) -> pb::Milestone {
        let milestone = begun.milestone.expect("a milestone");
        self.world.until_charged(&begun.charge_id).await;
        let contract = self.world.contract_of(&milestone.contract_id).await;
        let found = milestones(&contract).iter().find(|one| one.id == milestone.id);
        found.expect("a milestone").clone()
    }

    async fn refund(&self, it: &Value) -> Answer {
        let request = pb::RefundEarningRequest {
            request_id: request_id(),
            earning_id: self.earning(text(it, "earning")).await,
            amount: amount(it, "amount"),
        };
        let send = async |request| self.world.earnings.clone().refund_earning(request).await;
        Ok(earning_view(
            &self.call(request, send).await?.earning.expect("an earning"),
        ))
    }

    async fn dispute(&self, command: &str, it: &Value) -> Answer {
        let (disputes, request_id) = (&self.world.disputes, request_id());
        let dispute = match command {
            "dispute" => {
                let request = pb::OpenDisputeRequest {
                    request_id,
                    earning_id: self.earning(text(it, "earning")).await,
                    amount: amount(it, "amount"),
                    reason: Reason::NotAsAgreed.into(),
                    description: "Not what we said".to_owned(),
                };
                let send = async |request| disputes.clone().open_dispute(request).await;
                let dispute = self.call(request, send).await?.dispute.expect("a dispute");
                self.names.learn(text(it, "as"), &dispute.id);
                dispute
            }
            "resolve" => {
                let outcome = match text(it, "outcome") {
                    "TALENT" => Outcome::Talent,
                    "CLIENT" => Outcome::Client,
                    _ => Outcome::Split,
                };
                let request = pb::ResolveDisputeRequest {
                    request_id,
                    dispute_id: self.id(it, "dispute"),
                    outcome: outcome.into(),
                    talent_share: amount(it, "share"),
                    explanation: "It is so".to_owned(),
                };
                let send = async |request| disputes.clone().resolve_dispute(request).await;
                self.call(request, send).await?.dispute.expect("a dispute")
            }
            _ => {
                let request = pb::WithdrawDisputeRequest {
                    request_id,
                    dispute_id: self.id(it, "dispute"),
                };
                let send = async |request| disputes.clone().withdraw_dispute(request).await;
                self.call(request, send).await?.dispute.expect("a dispute")
            }
        };
        let state = dispute.state().as_str_name().trim_start_matches("STATE_");
        let (held, refunded) = (minor(dispute.held.as_ref()), minor(dispute.refunded.as_ref()));
        Ok(json!({"held": held, "state": state, "refunded": refunded}))
    }

    async fn note(&self, it: &Value) -> Answer {
        let request = pb::AddDisputeNoteRequest {
            request_id: request_id(),
            dispute_id: self.id(it, "dispute"),
            text: "We said so".to_owned(),
        };
        let send = async |request| self.world.disputes.clone().add_dispute_note(request).await;
        self.call(request, send).await?;
        Ok(json!({}))
    }

    async fn chargeback(&self, it: &Value) -> Answer {
        let payment = text(it, "payment");
        let id = self.payment(payment).await;
        let kind = payment.split_once('/').map_or("m", |(_, of_contract)| of_contract);
        let payment = match kind.as_bytes().first() {
            Some(b'm') => Payment::MilestoneId(id),
            Some(b'b') => Payment::BonusPaymentId(id),
            _ => Payment::InvoiceId(id),
        };
        let request = pb::RecordChargebackRequest {
            request_id: request_id(),
            payment: Some(payment),
            amount: amount(it, "amount"),
            provider_reference: text(it, "reference").to_owned(),
        };
        let send = async |request| self.world.disputes.clone().record_chargeback(request).await;
        let chargeback = self.call(request, send).await?.chargeback.expect("a chargeback");
        self.names.learn(text(it, "as"), &chargeback.id);
        let lost = minor(chargeback.lost.as_ref());
        Ok(json!({"from_earning": !chargeback.earning_id.is_empty(), "lost": lost}))
    }

    async fn reverse_chargeback(&self, it: &Value) -> Answer {
        let request = pb::ReverseChargebackRequest {
            request_id: request_id(),
            chargeback_id: self.id(it, "chargeback"),
        };
        let send = async |request| self.world.disputes.clone().reverse_chargeback(request).await;
        self.call(request, send).await?;
        Ok(json!({}))
    }
}

/// Pay by the hour, or per period.
fn other_pay(pay: &Value, currency: &str) -> offer_accepted::Pay {
    if let Some(recurring) = pay["recurring"].as_array() {
        let name = format!("PAY_PERIOD_{}", recurring[1].as_str().expect("a period"));
        return offer_accepted::Pay::Recurring(common::RecurringPay {
            amount: Some(money(currency, recurring[0].as_i64().expect("minor units"))),
            every: common::PayPeriod::from_str_name(&name).expect("a period").into(),
        });
    }
    offer_accepted::Pay::Hourly(common::HourlyPay {
        rate: Some(money(currency, number(pay, "rate"))),
        weekly_limit_minutes: u32::try_from(number(pay, "limit")).expect("minutes"),
    })
}

fn contract_view(contract: &pb::Contract) -> Value {
    let state = contract.state().as_str_name().trim_start_matches("STATE_");
    let Some(pb::contract::Pay::Hourly(pay)) = &contract.pay else {
        return json!({"state": state});
    };
    let waiting = contract.next_weekly_limit.iter();
    let waiting = waiting.map(|limit| json!([micros(limit.from_time.as_ref()), limit.minutes]));
    json!({"state": state, "limit": pay.weekly_limit_minutes, "next": waiting.collect::<Vec<_>>()})
}
