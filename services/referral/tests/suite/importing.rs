//! Books that were kept elsewhere.

use std::fmt::Write as _;

use tokio_stream::iter;
use tonic::Status;
use vouch_primitives::{ClientId, ContractId, EarningId, PersonId, ReversalId};
use vouch_proto::referral::v1::{
    self as pb,
    books_service_client::BooksServiceClient,
    import_books_request::Table,
    import_books_response::{End, Part, Refusal},
};
use vouch_testkit::{TestDatabase, on_both_databases, tools::repository};

use crate::harness::{House, Person, Rosa, fields, minor};

on_both_databases! {
    imported_books_are_the_same_as_those_that_were_kept_here,
    a_circle_is_refused_with_all_who_are_in_it,
    each_mistake_is_told_with_its_line_and_the_rest_is_taken,
    what_was_paid_and_earned_is_judged_likewise,
    ten_thousand_lines_cut_off_in_the_middle_are_sent_again,
    the_files_of_the_page_are_taken_as_they_stand,
}

const NOW: &str = "2026-06-01T12:00:00Z";
const REFERRALS: &str = "referrer_person_id,referrer_account_id,referee_person_id,referee_account_id,joined_at,kind\n";
const EARNINGS: &str =
    "earning_id,person_id,account_id,client_id,contract_id,amount,currency,occurred_at,settled_at,refund_of\n";

/// The pieces of a file.
fn pieces(table: Table, dry_run: bool, file: &str) -> Vec<pb::ImportBooksRequest> {
    let mut pieces: Vec<_> = file
        .as_bytes()
        .chunks(1_000)
        .map(|data| pb::ImportBooksRequest {
            table: table.into(),
            dry_run,
            data: data.to_vec(),
            last: false,
        })
        .collect();
    pieces.last_mut().expect("a piece").last = true;
    pieces
}

async fn try_import(house: &House, table: Table, dry_run: bool, file: &str) -> Result<(End, Vec<Refusal>), Status> {
    let mut client = BooksServiceClient::new(house.channel());
    let answer = client.import_books(iter(pieces(table, dry_run, file))).await?;
    let (mut parts, mut refusals, mut end) = (answer.into_inner(), Vec::new(), None);
    while let Some(part) = parts.message().await? {
        match part.part.expect("a part") {
            Part::Progress(_) => {}
            Part::Refusal(refusal) => refusals.push(refusal),
            Part::End(it) => end = Some(it),
        }
    }
    Ok((end.expect("an end"), refusals))
}

/// A file without a mistake: how many rows were new, and how many known.
async fn import(house: &House, table: Table, file: &str) -> (u64, u64) {
    let (end, refusals) = try_import(house, table, false, file).await.expect("taken");
    assert_eq!(refusals, []);
    (end.new, end.known)
}

fn vouched(referrer: &Person, referee: &Person, joined: &str) -> String {
    format!(
        "{},{},{},{},{joined},\n",
        referrer.id, referrer.account, referee.id, referee.account
    )
}

fn earned(id: EarningId, person: &Person, amount: &str, date: &str) -> String {
    let (client, contract) = (
        ClientId::derived(id.as_uuid(), "client"),
        ContractId::derived(id.as_uuid(), "contract"),
    );
    format!(
        "{id},{},{},{client},{contract},{amount},USD,{date},{date},\n",
        person.id, person.account
    )
}

fn refunded(earning: EarningId, person: &Person, amount: &str, date: &str) -> String {
    let id = ReversalId::derived(earning.as_uuid(), "refund");
    let row = earned(EarningId::from_uuid(id.as_uuid()), person, amount, date);
    row.replace(",\n", &format!(",{earning}\n"))
}

/// Somebody who has vouched elsewhere, as they are known here.
async fn known(house: &House, person: &Person) -> Rosa {
    let referrer = house.enrol(&person.account).await.expect("enrolled");
    Rosa {
        id: referrer.id,
        person: person.id.clone(),
        account: person.account.clone(),
        code: referrer.code,
    }
}

// R25, R26
async fn imported_books_are_the_same_as_those_that_were_kept_here(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    let (rosa, ada, bob) = (Person::new(), Person::new(), Person::new());
    let referrals = format!(
        "{REFERRALS}{}{}",
        vouched(&rosa, &ada, "2026-01-15"),
        vouched(&rosa, &bob, "2026-05-01")
    );
    let paid = format!(
        "referee_person_id,kind,amount,currency\n{0},LIFETIME_SHARE,5.00,USD\n{0},WINDOW_BONUS,12.00,USD\n",
        ada.id
    );
    let (first, second) = (EarningId::new(), EarningId::new());
    let earnings = format!(
        "{EARNINGS}{}{}{}{}",
        earned(first, &ada, "100.10", "2026-01-20"),
        refunded(first, &ada, "10.00", "2026-02-01"),
        earned(second, &ada, "50.33", "2026-05-01"),
        earned(EarningId::new(), &bob, "7.77", "2026-05-02"),
    );
    let (dry, refusals) = try_import(&house, Table::Referrals, true, &referrals)
        .await
        .expect("judged");
    assert_eq!((dry.new, refusals), (2, vec![]));
    for table in ["attribution", "account", "person", "referrer", "outbox"] {
        assert_eq!(house.count(table).await, 0, "nothing stays of a dry run in {table}");
    }
    assert_eq!(import(&house, Table::Referrals, &referrals).await, (2, 0));
    assert_eq!(import(&house, Table::Paid, &paid).await, (2, 0));
    assert_eq!(import(&house, Table::Earnings, &earnings).await, (4, 0));
    house.quiet().await;

    let referrer = known(&house, &rosa).await;
    // 5 % of 90.10 + 50.33 less 5.00 that were paid, and 10 % of 90.10 less 12.00, which is never less than nothing.
    assert_eq!(house.total(&referrer, &ada).await, (14_043, 702 - 500, 0));
    assert_eq!(house.total(&referrer, &bob).await, (777, 38, 0));
    let told: i64 = house
        .releases()
        .await
        .iter()
        .map(|it| minor(&it.cumulative))
        .max()
        .unwrap_or_default();
    assert_eq!(
        told, 252,
        "before the refund; payments never hears of what was paid elsewhere"
    );

    assert_eq!(
        import(&house, Table::Referrals, &referrals).await,
        (0, 2),
        "once more, and nothing is new"
    );
    assert_eq!(import(&house, Table::Paid, &paid).await, (0, 2));
    assert_eq!(import(&house, Table::Earnings, &earnings).await, (0, 4));
    house.quiet().await;
    assert_eq!(house.releases().await, []);
    // What is earned from now on goes on where it stood.
    house.settled(&ada, 1_000, "2026-05-30").await;
    house.quiet().await;
    assert_eq!(house.total(&referrer, &ada).await, (15_043, 752 - 500, 0));
    crate::books::is_right(&house, "imported books come out as they are").await;
}

async fn a_circle_is_refused_with_all_who_are_in_it(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    let (a, b, c, d) = (Person::new(), Person::new(), Person::new(), Person::new());
    let joined = "2026-01-15";
    let file = format!(
        "{REFERRALS}{}{}{}{}",
        vouched(&a, &b, joined),
        vouched(&b, &c, joined),
        vouched(&c, &a, joined),
        vouched(&d, &d, joined),
    );
    let circle = format!("{} referred {} referred {} referred {}", a.id, b.id, c.id, a.id);
    let alone = format!("{} referred {}", d.id, d.id);
    for dry_run in [true, false] {
        let (end, refusals) = try_import(&house, Table::Referrals, dry_run, &file)
            .await
            .expect("judged");
        let told: Vec<_> = refusals
            .iter()
            .map(|it| (it.line, it.reason.as_str(), it.description.as_str()))
            .collect();
        assert_eq!(told, [(4, "CIRCLE", circle.as_str()), (5, "CIRCLE", alone.as_str())]);
        assert_eq!((end.new, end.refused), (2, 2));
    }
    // The rest of the circle is stored by now.
    let last = format!("{REFERRALS}{}", vouched(&c, &a, joined));
    let (end, refusals) = try_import(&house, Table::Referrals, false, &last)
        .await
        .expect("judged");
    assert_eq!(
        (end.new, refusals[0].line, refusals[0].description.as_str()),
        (0, 2, circle.as_str())
    );
    assert_eq!(house.count("attribution").await, 2);
}

async fn each_mistake_is_told_with_its_line_and_the_rest_is_taken(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    let (rosa, ada, eve) = (Person::new(), Person::new(), Person::new());
    let referrals = format!(
        "{REFERRALS}# Those of January\n\n{}x,{},{},{},soon,AGENCY\n{}one,two\n{}",
        vouched(&rosa, &ada, "2026-01-15"),
        rosa.account,
        eve.id,
        eve.account,
        vouched(&eve, &ada, "2026-01-16"),
        vouched(&rosa, &eve, "2026-06-02"),
    );
    let (end, refusals) = try_import(&house, Table::Referrals, false, &referrals)
        .await
        .expect("judged");
    let told: Vec<_> = refusals
        .iter()
        .map(|it| (it.line, it.column.as_str(), it.reason.as_str()))
        .collect();
    let expected = [
        (5, "kind", "INVALID_FORMAT"),
        (5, "referrer_person_id", "INVALID_FORMAT"),
        (5, "joined_at", "INVALID_FORMAT"),
        (6, "referee_person_id", "REFEREE_TAKEN"),
        (7, "", "INVALID_FORMAT"),
        (8, "joined_at", "IN_THE_FUTURE"),
    ];
    assert_eq!(told, expected);
    assert_eq!((end.new, end.known, end.refused), (1, 0, 4));
    let other = Person {
        id: PersonId::new().to_string(),
        account: ada.account.clone(),
    };
    let stolen = format!("{REFERRALS}{}", vouched(&rosa, &other, "2026-01-15"));
    let (_, refusals) = try_import(&house, Table::Referrals, false, &stolen)
        .await
        .expect("judged");
    assert_eq!(refusals[0].reason, "ACCOUNT_OF_OTHER");
}

async fn what_was_paid_and_earned_is_judged_likewise(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    let (rosa, ada, eve) = (Person::new(), Person::new(), Person::new());
    let referrals = format!("{REFERRALS}{}", vouched(&rosa, &ada, "2026-01-15"));
    import(&house, Table::Referrals, &referrals).await;
    let strangers = format!(
        "referee_person_id,kind,amount,currency\n{0},LIFETIME_SHARE,1.001,USD\n{1},WINDOW_BONUS,1,USD\n\
         {0},INTRODUCTION_COMMISSION,1,USD\n{0},CLIENT_REWARD,1,USD\n",
        ada.id, eve.id
    );
    let (_, refusals) = try_import(&house, Table::Paid, false, &strangers)
        .await
        .expect("judged");
    let told: Vec<_> = refusals
        .iter()
        .map(|it| (it.line, it.column.as_str(), it.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (2, "amount", "INVALID_FORMAT"),
            (3, "referee_person_id", "NOT_REFERRED"),
            (4, "kind", "INVALID_FORMAT"),
            (5, "kind", "INVALID_FORMAT"),
        ]
    );

    let id = EarningId::new();
    let earnings = format!(
        "{EARNINGS}{}{}",
        earned(id, &ada, "1.00", "2026-01-20"),
        earned(id, &ada, "2.00", "2026-01-20")
    );
    let (end, refusals) = try_import(&house, Table::Earnings, false, &earnings)
        .await
        .expect("judged");
    assert_eq!(
        (end.new, refusals.len(), refusals[0].line, refusals[0].reason.as_str()),
        (1, 1, 3, "OTHER_CONTENT")
    );

    let cut = try_import(&house, Table::Earnings, false, "earning_id\n")
        .await
        .expect_err("columns are missing");
    assert_eq!(fields(&cut), ["data"]);
}

/// A file of so many referrals, ten for each referrer.
fn many(rows: usize) -> String {
    let mut file = REFERRALS.to_owned();
    let mut referrer = Person::new();
    for row in 0..rows {
        if row % 10 == 0 {
            referrer = Person::new();
        }
        let row = vouched(&referrer, &Person::new(), "2026-01-15");
        write!(file, "{row}").expect("a text");
    }
    file
}

async fn ten_thousand_lines_cut_off_in_the_middle_are_sent_again(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    let file = many(10_000);
    let mut client = BooksServiceClient::new(house.channel());
    let answer = client.import_books(iter(pieces(Table::Referrals, false, &file))).await;
    let mut parts = answer.expect("begun").into_inner();
    let first = parts.message().await.expect("a part").and_then(|part| part.part);
    assert!(matches!(first, Some(Part::Progress(_))), "{first:?}");
    // Whoever has sent it dies, and so does the service.
    drop(parts);
    drop(client);
    house.end().await;
    let house = House::start(&database, NOW).await;
    let before = u64::try_from(house.count("attribution").await).expect("a count");
    assert!((500..10_000).contains(&before), "in the middle: {before}");
    assert_eq!(import(&house, Table::Referrals, &file).await, (10_000 - before, before));
    assert_eq!(house.count("attribution").await, 10_000);
    assert_eq!(house.count("referrer").await, 1_000);
    assert_eq!(import(&house, Table::Referrals, &file).await, (0, 10_000));
}

async fn the_files_of_the_page_are_taken_as_they_stand(database: TestDatabase) {
    let house = House::start(&database, NOW).await;
    for (table, name, rows) in [
        (Table::Referrals, "referrals", 3),
        (Table::Paid, "paid", 2),
        (Table::Earnings, "earnings", 4),
    ] {
        let path = repository().join(format!("tests/data/import/{name}.csv"));
        let file = std::fs::read_to_string(path).expect("a file");
        assert_eq!(import(&house, table, &file).await, (rows, 0), "{name}");
    }
    house.quiet().await;
}
