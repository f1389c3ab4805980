//! Each rule by an example.

use std::collections::BTreeMap;

use vouch_primitives::{AccountId, Currency, EarningId, Money, ReversalId, Timestamp, Uuid};

use super::{NOON, charge, contract, currency, milestone, submitted};
use crate::domain::{reward::newest, *};

// B7, F6: 14 days of silence and 5 days of waiting, over leap days and ends of years.
#[test]
fn silence_and_availability_count_days() {
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    for (submitted, silence, available) in [
        ("2028-02-15T10:00:00Z", "2028-02-29T10:00:00Z", "2028-03-05T10:00:00Z"),
        ("2028-02-29T23:59:59Z", "2028-03-14T23:59:59Z", "2028-03-19T23:59:59Z"),
        ("2027-02-15T10:00:00Z", "2027-03-01T10:00:00Z", "2027-03-06T10:00:00Z"),
        ("2026-12-31T12:00:00Z", "2027-01-14T12:00:00Z", "2027-01-19T12:00:00Z"),
        ("2026-12-17T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-05T00:00:00Z"),
    ] {
        let mut contract = contract(AccountId::new(), Currency::USD, 1_000);
        let mut milestone = milestone(&contract, 1_000);
        milestone.begin_funding().unwrap();
        milestone.fund().unwrap();
        milestone.submit(at(submitted)).unwrap();
        assert_eq!(milestone.auto_approve_at(), Some(at(silence)), "{submitted}");
        let late = at(silence).add_days(100);
        assert!(milestone.is_approved_by_silence(at(silence)) && milestone.is_approved_by_silence(late));
        assert!(!milestone.is_approved_by_silence(at(silence).saturating_sub(std::time::Duration::from_micros(1))));
        let earning = milestone
            .approve(&mut contract, EarningId::new(), late)
            .unwrap()
            .unwrap();
        assert_eq!((earning.occurred_at, earning.approved_at), (at(submitted), at(silence)));
        assert_eq!(earning.available_at, at(available));
    }
}

#[test]
fn refunds_have_a_limit_and_an_end() {
    let mut contract = contract(AccountId::new(), Currency::USD, 1_000);
    let mut milestone = milestone(&contract, 10_000);
    milestone.state = submitted(NOON);
    let mut earning = milestone
        .approve(&mut contract, EarningId::new(), NOON)
        .unwrap()
        .unwrap();
    let mut refund = |earning: &mut Earning, minor, currency, at| {
        earning
            .refund(&mut contract, ReversalId::new(), Money::new(minor, currency), at)
            .map(|r| r.fee_back_minor)
    };
    let gross = earning.gross;
    let other = refund(&mut earning, 1, currency("EUR"), NOON);
    assert_eq!(other, Err(RefundError::OtherCurrency { gross }));
    let too_large = refund(&mut earning, 10_001, Currency::USD, NOON);
    assert_eq!(too_large, Err(RefundError::TooLarge { left: gross }));
    let settled_at = earning.available_at;
    assert_eq!(earning.settle(settled_at), Some(9_000));
    assert_eq!(earning.settle(settled_at), None);
    let until = settled_at.add_days(180);
    assert_eq!(refund(&mut earning, 1_000, Currency::USD, until), Ok(100));
    let late = Timestamp::from_micros(until.as_micros() + 1);
    assert_eq!(
        refund(&mut earning, 1_000, Currency::USD, late),
        Err(RefundError::TooLate { until })
    );
}

#[test]
fn milestones_move_forward_only_and_silence_approves() {
    let mut contract = contract(AccountId::new(), Currency::USD, 1_000);
    let mut milestone = milestone(&contract, 10_000);
    assert_eq!(
        milestone.submit(NOON),
        Err(MilestoneError::NotFunded { state: "agreed" })
    );
    assert_eq!(milestone.fund(), Err(MilestoneError::NotAgreed { state: "agreed" }));
    assert_eq!(milestone.begin_funding(), Ok(Transition::Moved));
    assert_eq!(milestone.begin_funding(), Ok(Transition::AlreadyDone));
    // What could not be charged is agreed again; what is funded stays so.
    milestone.stop_funding();
    assert_eq!(milestone.state, MilestoneState::Agreed);
    assert_eq!(milestone.begin_funding(), Ok(Transition::Moved));
    assert_eq!(milestone.fund(), Ok(Transition::Moved));
    assert_eq!(milestone.fund(), Ok(Transition::AlreadyDone));
    milestone.stop_funding();
    assert_eq!(milestone.state, MilestoneState::Funded);
    let early = milestone.approve(&mut contract, EarningId::new(), NOON);
    assert_eq!(early, Err(MilestoneError::NotSubmitted { state: "funded" }));
    assert_eq!(milestone.submit(NOON), Ok(Transition::Moved));
    assert_eq!(milestone.submit(NOON.add_days(1)), Ok(Transition::AlreadyDone));
    assert_eq!(milestone.fund(), Err(MilestoneError::NotAgreed { state: "submitted" }));
    // The client comes a day after the silence has approved.
    let earning = milestone
        .approve(&mut contract, EarningId::new(), NOON.add_days(15))
        .unwrap()
        .unwrap();
    assert_eq!(milestone.auto_approve_at(), Some(NOON.add_days(14)));
    assert_eq!((earning.occurred_at, earning.available_at), (NOON, NOON.add_days(19)));
    let again = milestone.approve(&mut contract, EarningId::new(), NOON.add_days(16));
    assert_eq!((again, contract.net_gross_minor), (Ok(None), 10_000));
}

#[test]
fn nothing_overflows_in_silence() {
    let mut contract = contract(AccountId::new(), Currency::USD, 1_000);
    assert!(contract.earn(i64::MAX).is_ok());
    assert_eq!(contract.earn(1), Err(ContractError::TotalTooLarge));
    let escrow = LedgerAccount::escrow(contract.id, Currency::USD);
    let mut book = Book::new(BTreeMap::from([(escrow, i64::MAX)]));
    let funded = book.charge(
        NOON,
        &charge(&contract, &milestone(&contract, 1), Money::new(1, Currency::USD)),
    );
    assert_eq!(funded, Err(LedgerError::TooLarge { account: escrow }));
}

#[test]
fn contradicting_releases_are_refused() {
    let key = RewardKey {
        tie_id: Uuid::from_u128(7),
        kind: RewardKind::WindowBonus,
        currency: Currency::USD,
    };
    let release = |cumulative_minor, epoch, sequence, account: u128| Release {
        key,
        account_id: AccountId::from_uuid(Uuid::from_u128(account)),
        cumulative_minor,
        epoch,
        sequence,
        released_at: NOON,
        funder: None,
    };
    let two_amounts = RewardError::TwoAmounts {
        tie_id: key.tie_id,
        epoch: 1,
        sequence: 1,
    };
    assert_eq!(newest([release(5, 1, 1, 1), release(6, 1, 1, 1)]), Err(two_amounts));
    assert_eq!(
        newest([release(5, 1, 1, 1), release(6, 1, 2, 2)]),
        Err(RewardError::OtherAccount(key.tie_id))
    );
    for bad in [release(-1, 1, 1, 1), release(1, -1, 1, 1), release(1, 1, 0, 1)] {
        assert_eq!(newest([bad]), Err(RewardError::OutOfRange(key.tie_id)));
    }
    let mut total = release(5, 1, 1, 1).nothing_posted();
    assert!(total.post(&release(5, 1, 1, 1)).unwrap().is_some());
    assert_eq!(total.post(&release(6, 1, 1, 1)), Err(two_amounts));
}

#[test]
fn a_book_refuses_what_it_does_not_hold() {
    let mut contract = contract(AccountId::new(), Currency::USD, 1_000);
    let mut milestone = milestone(&contract, 10_000);
    milestone.state = submitted(NOON);
    let earning = milestone
        .approve(&mut contract, EarningId::new(), NOON)
        .unwrap()
        .unwrap();
    let escrow = LedgerAccount::escrow(contract.id, Currency::USD);
    let Parts {
        pending,
        available,
        receivable,
        ..
    } = Book::accounts_of(contract.account_id, Currency::USD);
    let book = |balances: &[(LedgerAccount, i64)]| Book::new(balances.iter().copied().collect());
    let poor = book(&[(escrow, 9_999), (pending, 0)]).approve(&earning);
    assert_eq!(poor, Err(LedgerError::TooLittle { account: escrow }));
    let shut = book(&[(escrow, 10_000)]).approve(&earning);
    assert_eq!(shut, Err(LedgerError::NotOpened { account: pending }));
    let held = Money::new(9_001, Currency::USD);
    let mut short = book(&[(pending, 9_000), (available, 0), (receivable, 0)]);
    let short = short.settle(NOON, earning.id, contract.account_id, held);
    assert_eq!(short, Err(LedgerError::TooLittle { account: pending }));
    let negative = book(&[(escrow, 1)]).charge(NOON, &charge(&contract, &milestone, Money::new(-1, Currency::USD)));
    let (debit, credit) = (Currency::USD, Currency::USD);
    let unsound = LedgerError::Unsound {
        amount_minor: -1,
        debit,
        credit,
    };
    assert_eq!(negative, Err(unsound));
}
