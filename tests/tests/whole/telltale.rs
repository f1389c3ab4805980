//! A story whose every word about a person would be noticed where it does not belong.

use vouch_primitives::{Currency, Money, Timestamp};
use vouch_proto::referral::v1 as referral;
use vouch_suite::{Story, story::fixed_milestones};

pub const MANAGER: &str = "Zebedee Quarrelsome";
const REFERRER: &str = "Rosalind Unmistakable";
const TALENT: &str = "Philippa Xylophone";
const COMPANY: &str = "Kestrel Marmalade";
const MESSAGE: &str = "My secret is marzipan.";
const TITLE: &str = "Walrus ballad";

/// What Philippa earns first, in cents; a share of it goes to Rosalind.
pub const AMOUNT: i64 = 1_234_567;
/// 5 % of it, rounded down.
pub const SHARE: i64 = 61_728;

/// Everybody is there, and the work is about to be paid.
pub struct Telltale {
    pub referrer: referral::Referrer,
    pub contract: String,
    /// The first milestone.
    pub milestone: String,
    /// What no telemetry may contain.
    pub secrets: Vec<String>,
}

/// Where the test clock starts.
pub fn start() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().expect("a moment")
}

impl Telltale {
    /// Rosalind vouches for Philippa, who is invited by Zebedee and accepts.
    pub async fn hired(story: &Story) -> Self {
        let company = story
            .company(COMPANY, MANAGER, "zebedee@kestrel.example")
            .await
            .expect("a company");
        let rosalind = story
            .register(REFERRER, "rosalind@talent.example", "")
            .await
            .expect("registered");
        let mut secrets = vec![story.mailbox.token("rosalind@talent.example").expect("a token")];
        let referrer = story.enrol(&rosalind).await.expect("enrolled");
        let email = "philippa@talent.example";
        let terms = (TITLE, Money::new(AMOUNT, Currency::USD));
        story
            .invite(&company, TALENT, email, terms, start())
            .await
            .expect("invited");
        story.clock.settle().await.expect("at rest");
        secrets.push(story.mailbox.token(email).expect("a token"));
        let (_, case) = story.activate(TALENT, email, &referrer.code).await.expect("activated");
        let contract = story.accept(&case, MESSAGE).await.expect("a contract");
        let people = [MANAGER, REFERRER, TALENT, COMPANY, MESSAGE, TITLE];
        let words = people
            .iter()
            .flat_map(|text| text.split_whitespace())
            .filter(|word| word.len() > 6);
        secrets.extend(words.map(|word| word.trim_matches('.').to_owned()));
        let amounts = [AMOUNT, SHARE, AMOUNT / 10, AMOUNT - AMOUNT / 10];
        secrets.extend(amounts.map(|minor| minor.to_string()));
        secrets.extend(
            [
                "12345.67",
                "12,345.67",
                "617.28",
                "harbour website",
                "Lisbon",
                "eyJ",
                "@",
            ]
            .map(str::to_owned),
        );
        Self {
            referrer,
            milestone: fixed_milestones(&contract)[0].id.clone(),
            contract: contract.id,
            secrets,
        }
    }
}
