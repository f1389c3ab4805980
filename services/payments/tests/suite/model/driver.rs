//! Moves the clock, carries out what a script says, and notes what is answered.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_primitives::{Clock, EventId, Timestamp};
use vouch_proto::{convert::from_wire_time, payments::v1 as pb};
use vouch_storage::{Wake, timers};
use vouch_testkit::{eventually, tables::count};

use super::{
    looks,
    names::{Names, contract_of, given},
};
use crate::world::{SOON, World};

pub struct Driver {
    pub world: World,
    pub names: Names,
    /// How many requests were sent.
    requests: AtomicU32,
    /// How many events this service was told.
    events: AtomicI64,
}

impl Driver {
    pub fn new(world: World) -> Self {
        Self {
            world,
            names: Names::default(),
            requests: 0.into(),
            events: 0.into(),
        }
    }

    /// A service of which some clients cannot pay, or not at once: as the model has it.
    pub async fn with_bad_payers(world: World) -> Self {
        for (client, instrument) in [("k3", "sandbox-declines-2"), ("k4", "sandbox-insufficient-funds")] {
            let added = world.bill(&id_of(client), instrument).await;
            added.expect("a billing method");
        }
        Self::new(world)
    }

    pub async fn stop(self) {
        self.world.stop().await;
    }

    /// Goes to the moment of one line of a script, does what it says, and returns it with the answer.
    pub async fn one(&self, line: Value) -> Value {
        self.advance(Timestamp::from_micros(number(&line, "at"))).await;
        self.carried_out(line).await
    }

    /// Does what a line says, and returns it with the answer.
    pub async fn carried_out(&self, mut line: Value) -> Value {
        let answer = match text(&line, "do") {
            "look" => Ok(looks::look(self, text(&line, "what")).await),
            command => self.command(command, &line).await,
        };
        let (key, told) = match answer {
            Ok(answer) => ("answer", answer),
            Err(status) => ("refused", json!(reasons(&status))),
        };
        line[key] = told;
        line
    }

    /// By way of every moment at which something is due, each of which is waited for.
    async fn advance(&self, to: Timestamp) {
        loop {
            let next = timers::next_due(self.world.db.reader()).await.expect("a moment");
            match next.filter(|next| *next <= to) {
                Some(next) => self.set(next.max(self.world.clock.now())),
                None => break,
            }
            self.rest().await;
        }
        self.set(to);
    }

    /// Goes to the moment of a line at once, whatever is due.
    pub fn jump(&self, line: &Value) {
        self.set(Timestamp::from_micros(number(line, "at")));
    }

    fn set(&self, to: Timestamp) {
        self.world.clock.set(to).expect("forwards");
        self.world.db.wakeup(Wake::Timers).notify_one();
    }

    /// Waits until nothing is due.
    pub async fn rest(&self) {
        eventually("rest", SOON, async || {
            let due = timers::count_due(self.world.db.reader(), self.world.clock.now()).await;
            match due.map_err(|error| error.to_string())? + self.world.db.running_tasks() {
                0 => Ok(()),
                left => Err(format!("{left} timers are due")),
            }
        })
        .await;
    }

    /// Tells the service what another one would, and waits until it has been taken.
    pub async fn hear<M: prost::Message + prost::Name>(&self, event: &M) {
        self.world.hear(EventId::new(), event).await;
        let told = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        eventually("the event", SOON, async || {
            let taken = count(&self.world.db, "inbox").await;
            (taken >= told)
                .then_some(())
                .ok_or_else(|| format!("{taken} of {told} are taken"))
        })
        .await;
    }

    /// Sends a request; every tenth one twice, which must be answered as before.
    pub async fn call<M, R>(
        &self,
        request: M,
        send: impl AsyncFn(M) -> Result<tonic::Response<R>, Status>,
    ) -> Result<R, Status>
    where
        M: Clone,
        R: PartialEq + std::fmt::Debug,
    {
        let answer = send(request.clone()).await?.into_inner();
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(10) {
            let again = send(request).await.expect("the answer of before").into_inner();
            assert_eq!(answer, again, "the same request has the same answer");
        }
        Ok(answer)
    }

    /// The id of an earning, by what it was paid for. Those that were made at their moments have to be asked for.
    pub async fn earning(&self, source: &str) -> String {
        let name = earning_name(source);
        self.learn_earnings(contract_of(source), &name).await;
        self.names.id_or_none_there_is(&name)
    }

    /// The id of what a client paid for.
    pub async fn payment(&self, source: &str) -> String {
        self.learn_earnings(contract_of(source), source).await;
        self.names.id_or_none_there_is(source)
    }

    /// Learns the earnings of a contract's account, the newest first, until this name is known.
    async fn learn_earnings(&self, contract: &str, wanted: &str) {
        let Some(account) = self.names.id(&format!("account of {contract}")) else {
            return;
        };
        let mut page_token = String::new();
        while self.names.id(wanted).is_none() {
            let (earnings, next) = self.earnings_page(&account, page_token).await;
            for earning in &earnings {
                if let Some(source) = self.source_of(earning).await {
                    self.names.learn(&earning_name(&source), &earning.id);
                }
            }
            if next.is_empty() {
                return;
            }
            page_token = next;
        }
    }

    pub async fn earnings_page(&self, account: &str, page_token: String) -> (Vec<pb::Earning>, String) {
        let request = pb::ListEarningsRequest {
            account_id: account.to_owned(),
            page_size: 100,
            page_token,
        };
        let page = self.world.earnings.clone().list_earnings(request).await;
        let page = page.expect("earnings").into_inner();
        (page.earnings, page.next_page_token)
    }

    /// What an earning was paid for, by its name; `None` if somebody else is just being told of that.
    pub async fn source_of(&self, earning: &pb::Earning) -> Option<String> {
        use pb::earning::Source;
        match earning.source.as_ref().expect("a source") {
            Source::MilestoneId(id) | Source::BonusPaymentId(id) => self.names.name(id),
            Source::InvoiceId(id) => match self.names.name(id) {
                Some(name) => Some(name),
                None => Some(self.invoice_name(&looks::invoice(self, id).await)),
            },
        }
    }

    /// The name of an invoice, which it has by its contract and its week or period.
    pub fn invoice_name(&self, invoice: &pb::Invoice) -> String {
        let contract = self.names.name(&invoice.contract_id).expect("a contract");
        let start = invoice.week_time.as_ref().or(invoice.period_start_time.as_ref());
        let start = start.and_then(from_wire_time).expect("a week or a period");
        let name = format!("{contract}/{}", &start.to_string()[..10]);
        self.names.learn(&name, &invoice.id);
        name
    }
}

/// What an earning is called here: several things may be called by what it was paid for.
pub fn earning_name(source: &str) -> String {
    format!("earning of {source}")
}

/// What a refusal says: the stable reason, or all fields that are wrong.
fn reasons(status: &Status) -> Vec<String> {
    if status.code() == Code::InvalidArgument {
        return vouch_testkit::answers::violations::<()>(Err(status.clone()));
    }
    let known = matches!(status.code(), Code::FailedPrecondition | Code::NotFound);
    match status.get_details_error_info().filter(|_| known) {
        Some(info) => vec![info.reason],
        None => panic!("no command is refused so: {status:?}"),
    }
}

pub fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

pub fn number(line: &Value, key: &str) -> i64 {
    line[key].as_i64().unwrap_or_else(|| panic!("no {key} in {line}"))
}

pub fn id_of(name: &str) -> String {
    given(name).to_string()
}
