//! Friends who are invited by e-mail.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use vouch_primitives::{ClientId, ContractId, RequestId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{AddressReinstated, AddressSuppressed, suppression::Reason},
    onboarding::v1::AccountRegistered,
    payments::v1::ContractStarted,
    referral::v1::{self as pb, referral_invitation::Stage},
};
use vouch_testkit::{SmtpSink, TestDatabase, eventually, on_both_databases, smtp::Received};

use crate::{
    JOINED,
    attributing::sign_up,
    harness::{House, Job, Person, Rosa, at, envelope},
};

on_both_databases! {
    a_letter_says_who_recommends_whom_for_which_job,
    a_friend_comes_from_the_letter_to_being_hired,
    a_hire_is_seen_in_whatever_order_it_is_heard_of,
    who_says_no_or_nothing_is_seen_as_such,
    a_recommended_freelancer_is_referred_as_one,
    a_reminder_comes_after_a_week_unless_somebody_has_answered,
    an_address_on_the_list_gets_no_letter,
    a_reader_who_unsubscribes_is_put_on_the_list,
    nobody_sends_more_than_the_limits_allow,
}

const SOON: Duration = Duration::from_secs(20);

pub fn friend(rosa: &Rosa, email: &str) -> pb::InviteFriendRequest {
    pb::InviteFriendRequest {
        request_id: RequestId::new().to_string(),
        referrer_id: rosa.id.clone(),
        recipient_email: email.to_owned(),
        recipient_name: "Ada Lovelace".to_owned(),
        referrer_name: "Rosa Parks".to_owned(),
        referrer_contact: "rosa@example.com".to_owned(),
        job: "Translator".to_owned(),
        message: "Nobody <b>else</b> could do it.".to_owned(),
        ..Default::default()
    }
}

// R1, R9
async fn a_recommended_freelancer_is_referred_as_one(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let client = ClientId::new();
    house.works(&rosa, client).await;
    let request = pb::InviteFriendRequest {
        kind: pb::ReferralKind::Freelancer.into(),
        client_id: client.to_string(),
        ..friend(&rosa, "ada@example.com")
    };
    house.inviting().invite_friend(request).await.expect("invited");
    let mail = letter(&sink, "ada@example.com", 1).await;
    assert!(mail.text.contains("to a client of theirs"), "{}", mail.text);
    let ada = Person::new();
    let event = AccountRegistered {
        referral_invitation_sha256: Sha256::digest(token_in(&mail)).to_vec(),
        ..sign_up(&ada, "ada@example.com", JOINED)
    };
    house.publish(&[envelope(&event)]).await;
    house.quiet().await;
    let attributions = house.attributions(&rosa).await;
    assert_eq!(attributions.len(), 1);
    assert_eq!(attributions[0].referee_person_id, ada.id);
    assert_eq!(attributions[0].kind(), pb::ReferralKind::Freelancer);
    assert_eq!(
        house.introductions(&rosa).await,
        [],
        "who is new is referred, and not introduced"
    );
    let told: Vec<_> = listed(&house, &rosa)
        .await
        .into_iter()
        .map(|it| (it.kind(), it.stage(), it.client_id))
        .collect();
    let expected = (pb::ReferralKind::Freelancer, Stage::Registered, client.to_string());
    assert_eq!(told, [expected]);
}

async fn invite(house: &House, rosa: &Rosa, email: &str) -> Result<pb::ReferralInvitation, Status> {
    let answer = house.inviting().invite_friend(friend(rosa, email)).await?;
    Ok(answer.into_inner().invitation.expect("an invitation"))
}

/// The newest letter to an address, when there are so many.
pub async fn letter(sink: &SmtpSink, email: &str, count: usize) -> Received {
    eventually("the letter", SOON, async || {
        let all = sink.messages().map_err(|error| error.to_string())?;
        let to = |mail: &Received| mail.header("To").is_some_and(|to| to.contains(email));
        let mut theirs: Vec<_> = all.into_iter().filter(to).collect();
        match theirs.len() {
            found if found == count => theirs.pop().ok_or_else(|| "none".to_owned()),
            found => Err(format!("{found} letters")),
        }
    })
    .await
}

fn after(link: &str, text: &str) -> String {
    let (_, rest) = text.split_once(link).expect("a link");
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    rest.chars().take_while(fits).collect()
}

pub fn token_in(mail: &Received) -> String {
    after("https://vouch.example/referrals/accept#token=", &mail.text)
}

/// Invites an address; the token of its letter.
pub async fn invited(house: &House, sink: &SmtpSink, rosa: &Rosa, email: &str) -> String {
    let before = sink
        .messages()
        .expect("letters")
        .iter()
        .filter(|mail| mail.header("To").is_some_and(|to| to.contains(email)))
        .count();
    invite(house, rosa, email).await.expect("invited");
    token_in(&letter(sink, email, before + 1).await)
}

pub async fn accept(house: &House, token: &str) -> Result<pb::AcceptReferralInvitationResponse, Status> {
    let request = pb::AcceptReferralInvitationRequest {
        request_id: RequestId::new().to_string(),
        token: token.to_owned(),
    };
    Ok(house.inviting().accept_referral_invitation(request).await?.into_inner())
}

async fn open(house: &House, token: &str) -> Result<pb::OpenReferralInvitationResponse, Status> {
    let request = pb::OpenReferralInvitationRequest {
        request_id: RequestId::new().to_string(),
        token: token.to_owned(),
    };
    Ok(house.inviting().open_referral_invitation(request).await?.into_inner())
}

async fn decline(house: &House, token: &str) -> Result<pb::DeclineReferralInvitationResponse, Status> {
    let request = pb::DeclineReferralInvitationRequest {
        request_id: RequestId::new().to_string(),
        token: token.to_owned(),
    };
    Ok(house
        .inviting()
        .decline_referral_invitation(request)
        .await?
        .into_inner())
}

pub async fn listed(house: &House, rosa: &Rosa) -> Vec<pb::ReferralInvitation> {
    let request = pb::ListReferralInvitationsRequest {
        referrer_id: rosa.id.clone(),
        ..Default::default()
    };
    house
        .inviting()
        .list_referral_invitations(request)
        .await
        .expect("a page")
        .into_inner()
        .invitations
}

pub async fn stages(house: &House, rosa: &Rosa) -> Vec<Stage> {
    listed(house, rosa)
        .await
        .iter()
        .map(pb::ReferralInvitation::stage)
        .collect()
}

// R15, R16
async fn a_letter_says_who_recommends_whom_for_which_job(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    invite(&house, &rosa, "Ada@Example.com").await.expect("invited");
    let mail = letter(&sink, "ada@example.com", 1).await;
    assert_eq!(mail.header("Subject"), Some("Rosa Parks recommends you: Translator"));
    assert_eq!(
        mail.header("From"),
        Some("Rosa Parks via Vouch <no-reply@vouch.example>")
    );
    assert_eq!(mail.header("Reply-To"), Some("rosa@example.com"));
    for said in ["Rosa Parks", "rosa@example.com", "Translator", "14 February 2026"] {
        assert!(
            mail.text.contains(said) && mail.html.contains(said),
            "{said}: {}",
            mail.text
        );
    }
    assert!(mail.text.contains("> Nobody <b>else</b> could do it."), "{}", mail.text);
    assert!(!mail.html.contains("<b>else"), "words are escaped");
    let way_out = after("https://vouch.example/referrals/unsubscribe?token=", &mail.text);
    let expected = format!("<https://vouch.example/referrals/unsubscribe?token={way_out}>");
    assert_eq!(mail.header("List-Unsubscribe"), Some(&*expected));
    assert_eq!(mail.header("List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
}

// R13, R17, R18, R19, R29, R5
async fn a_friend_comes_from_the_letter_to_being_hired(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let token = invited(&house, &sink, &rosa, "ada@example.com").await;
    assert_eq!(stages(&house, &rosa).await, [Stage::Sent]);
    for _ in 0..3 {
        let shown = open(&house, &token).await.expect("opening uses nothing up");
        assert_eq!((&*shown.referrer_name, &*shown.job), ("Rosa Parks", "Translator"));
    }
    assert_eq!(stages(&house, &rosa).await, [Stage::Clicked]);
    accept(&house, &token).await.expect("accepted");
    accept(&house, &token).await.expect("accepted already");
    assert_eq!(stages(&house, &rosa).await, [Stage::Accepted]);
    let ada = Person::new();
    // With another address: the token shows who was invited.
    let event = AccountRegistered {
        referral_invitation_sha256: Sha256::digest(&token).to_vec(),
        ..sign_up(&ada, "countess@example.com", JOINED)
    };
    house.publish(&[envelope(&event)]).await;
    house.quiet().await;
    assert_eq!(stages(&house, &rosa).await, [Stage::Registered]);
    assert_eq!(house.attributions(&rosa).await.len(), 1);
    for refused in [open(&house, &token).await.err(), decline(&house, &token).await.err()] {
        let refused = refused.expect("it is used");
        assert_eq!(
            (refused.code(), &*house.reason(&refused)),
            (Code::NotFound, "NO_OPEN_INVITATION")
        );
    }
    let started = ContractStarted {
        contract_id: ContractId::new().to_string(),
        client_id: ClientId::new().to_string(),
        person_id: ada.id.clone(),
        account_id: ada.account.clone(),
        begin_time: Some(to_wire_time(at(JOINED))),
        ..Default::default()
    };
    house.publish(&[envelope(&started)]).await;
    house.quiet().await;
    assert_eq!(stages(&house, &rosa).await, [Stage::Hired]);
}

// R13, R19
async fn who_says_no_or_nothing_is_seen_as_such(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let no = invited(&house, &sink, &rosa, "ada@example.com").await;
    let nothing = invited(&house, &sink, &rosa, "bob@example.com").await;
    decline(&house, &no).await.expect("declined");
    decline(&house, &no).await.expect("declined already");
    accept(&house, &no).await.expect_err("it was declined");
    house.move_clock("2026-02-14T11:59:59Z").await;
    assert_eq!(stages(&house, &rosa).await, [Stage::Sent, Stage::Declined]);
    house.move_clock("2026-02-14T12:00:00Z").await;
    assert_eq!(stages(&house, &rosa).await, [Stage::Expired, Stage::Declined]);
    let late = accept(&house, &nothing).await.expect_err("its time is up");
    assert_eq!(house.reason(&late), "NO_OPEN_INVITATION");
    for (token, email) in [(&no, "ada@example.com"), (&nothing, "bob@example.com")] {
        let event = AccountRegistered {
            referral_invitation_sha256: Sha256::digest(token).to_vec(),
            ..sign_up(&Person::new(), email, "2026-02-14T12:00:00Z")
        };
        house.publish(&[envelope(&event)]).await;
    }
    house.quiet().await;
    assert_eq!(house.attributions(&rosa).await, []);
}

async fn a_reminder_comes_after_a_week_unless_somebody_has_answered(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let first = invited(&house, &sink, &rosa, "ada@example.com").await;
    let answered = invited(&house, &sink, &rosa, "bob@example.com").await;
    accept(&house, &answered).await.expect("accepted");
    house.move_clock("2026-01-22T12:00:00Z").await;
    let reminder = letter(&sink, "ada@example.com", 2).await;
    assert_eq!(
        reminder.header("Subject"),
        Some("Reminder: Rosa Parks recommends you: Translator")
    );
    assert_ne!(token_in(&reminder), first);
    open(&house, &first).await.expect("both links work");
    accept(&house, &token_in(&reminder)).await.expect("both links work");
    letter(&sink, "bob@example.com", 1).await;
}

async fn an_address_on_the_list_gets_no_letter(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let address = Sha256::digest("ada@example.com").to_vec();
    let listed = |when| {
        envelope(&AddressSuppressed {
            email_sha256: address.clone(),
            reason: Reason::Unsubscribed.into(),
            suppress_time: Some(to_wire_time(at(when))),
        })
    };
    let off = |when| {
        envelope(&AddressReinstated {
            email_sha256: address.clone(),
            reinstate_time: Some(to_wire_time(at(when))),
        })
    };
    // The later word counts, in whichever order they come.
    house.publish(&[listed("2026-01-03"), off("2026-01-02")]).await;
    house.quiet().await;
    let refused = invite(&house, &rosa, "ada@example.com").await.expect_err("on the list");
    assert_eq!(
        (refused.code(), &*house.reason(&refused)),
        (Code::FailedPrecondition, "ADDRESS_SUPPRESSED")
    );
    house.publish(&[off("2026-01-04"), listed("2026-01-01")]).await;
    house.quiet().await;
    invited(&house, &sink, &rosa, "ada@example.com").await;
    house.publish(&[listed("2026-01-05")]).await;
    house.quiet().await;
    house.move_clock("2026-01-22T12:00:00Z").await;
    letter(&sink, "ada@example.com", 1).await;
}

async fn a_reader_who_unsubscribes_is_put_on_the_list(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    invited(&house, &sink, &rosa, "ada@example.com").await;
    let mail = letter(&sink, "ada@example.com", 1).await;
    let way_out = after("https://vouch.example/referrals/unsubscribe?token=", &mail.text);
    for token in [way_out.as_str(), "nobody's"] {
        let request = pb::UnsubscribeFromReferralsRequest {
            request_id: RequestId::new().to_string(),
            token: token.to_owned(),
        };
        house
            .inviting()
            .unsubscribe_from_referrals(request)
            .await
            .expect("the same answer");
    }
    house.quiet().await;
    let told = house.told::<pb::AddressRefused>().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].email_sha256, Sha256::digest("ada@example.com").to_vec());
    let refused = invite(&house, &rosa, "ada@example.com").await.expect_err("at once");
    assert_eq!(house.reason(&refused), "ADDRESS_SUPPRESSED");
}

async fn nobody_sends_more_than_the_limits_allow(database: TestDatabase) {
    let settings = [
        ("LIMITS__INVITATIONS_PER_DAY", "2".to_owned()),
        ("LIMITS__ADDRESS_PER_WEEK", "3".to_owned()),
    ];
    let house = House::start_with(&database, JOINED, &settings).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let calls = (0..6).map(|nth| {
        let (house, rosa) = (&house, &rosa);
        async move { invite(house, rosa, &format!("friend{nth}@example.com")).await }
    });
    let sent = futures::future::join_all(calls).await;
    let (sent, refused): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    assert_eq!((sent.len(), refused.len()), (2, 4), "two a day, however many at once");
    for refused in refused.into_iter().filter_map(Result::err) {
        assert_eq!(
            (refused.code(), &*house.reason(&refused)),
            (Code::ResourceExhausted, "INVITATION_LIMIT_REACHED")
        );
    }
    for (referrer, good) in [(&otto, true), (&otto, true)] {
        assert_eq!(invite(&house, referrer, "ada@example.com").await.is_ok(), good);
    }
    house.move_clock("2026-01-16T00:00:00Z").await;
    invite(&house, &rosa, "ada@example.com").await.expect("another day");
    let refused = invite(&house, &rosa, "ada@example.com")
        .await
        .expect_err("three a week");
    assert_eq!(
        (refused.code(), &*house.reason(&refused)),
        (Code::ResourceExhausted, "ADDRESS_LIMIT_REACHED")
    );
}

// R19, R29
async fn a_hire_is_seen_in_whatever_order_it_is_heard_of(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    for (nth, (is_contract, sign_up_first)) in [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .enumerate()
    {
        let email = format!("friend{nth}@example.com");
        let token = invited(&house, &sink, &rosa, &email).await;
        let ada = Person::new();
        let hired = match is_contract {
            true => house.started(&ada, Job::new(), JOINED),
            false => house.settlement(&house.earning(&ada, 10_000, "2026-01-20")),
        };
        let event = AccountRegistered {
            referral_invitation_sha256: Sha256::digest(&token).to_vec(),
            ..sign_up(&ada, &email, JOINED)
        };
        let mut facts = [envelope(&event), hired];
        if !sign_up_first {
            facts.reverse();
        }
        for fact in facts {
            house.publish(&[fact]).await;
            house.quiet().await;
        }
    }
    assert_eq!(stages(&house, &rosa).await, [Stage::Hired; 4]);
}
