//! How a letter looks, and that nothing in it becomes markup or a header.

use std::path::Path;

use vouch_mail::{Button, Letter, MailError, Quote};
use vouch_primitives::Uuid;
use vouch_testkit::{SmtpSink, TestDatabase, on_both_databases, tools};

use crate::world::{World, invitation, to};

fn assert_golden(name: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    tools::assert_golden(&file, actual);
}

#[test]
fn the_invitation_looks_as_it_should() {
    let rendered = invitation().letter.render().unwrap();
    assert_golden("invitation.html", &rendered.html);
    assert_golden("invitation.txt", &rendered.text);
}

#[test]
fn a_letter_may_be_short() {
    let letter = Letter {
        subject: "Welcome".to_owned(),
        heading: "Welcome to Vouch".to_owned(),
        paragraphs: vec!["Your address is verified.".to_owned()],
        ..Letter::default()
    };
    let rendered = letter.render().unwrap();
    assert_eq!(rendered.text, "Welcome to Vouch\n\nYour address is verified.\n");
    for absent in ["<a ", "bgcolor", "border-left", "display:none"] {
        assert!(!rendered.html.contains(absent), "{absent} in {}", rendered.html);
    }
}

#[test]
fn one_green_button_leads_on_and_both_parts_say_everything() {
    let letter = invitation().letter;
    let rendered = letter.render().unwrap();
    assert_eq!(rendered.html.matches("<a ").count(), 2, "the button, and the way out");
    assert_eq!(rendered.html.matches("bgcolor=\"#157f3c\"").count(), 1);
    assert!(
        rendered
            .html
            .contains(r#"href="https://vouch.example/activate?invitation=1&#38;step=2#token""#)
    );
    assert!(
        rendered
            .text
            .contains("Activate your account:\nhttps://vouch.example/activate?invitation=1&step=2#token\n")
    );
    for said in [
        "You are invited",
        "Hello Grace,",
        "There is nothing to pay.",
        "Agreed amount",
        "12,500.00 USD",
        "Ada Lovelace",
    ] {
        assert!(rendered.html.contains(said) && rendered.text.contains(said), "{said}");
    }
}

const MARKUP: &str = r#"<script>alert("x")</script>'&"#;

#[test]
fn markup_in_any_field_is_only_text() {
    let text = || MARKUP.to_owned();
    let letter = Letter {
        subject: text(),
        preheader: Some(text()),
        heading: text(),
        paragraphs: vec![text()],
        quote: Some(Quote {
            author: text(),
            text: text(),
        }),
        facts: vec![(text(), text())],
        button: Some(Button {
            label: text(),
            url: "https://vouch.example/?a='&b=2".to_owned(),
        }),
        footer: vec![text()],
        unsubscribe: Some("https://vouch.example/?c='&d=2".to_owned()),
    };
    let rendered = letter.render().unwrap();
    assert!(!rendered.html.contains("<script"), "{}", rendered.html);
    assert!(
        rendered
            .html
            .contains(r#"href="https://vouch.example/?a=&#39;&#38;b=2""#),
        "{}",
        rendered.html
    );
    assert_eq!(
        rendered
            .html
            .matches("&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#39;&#38;")
            .count(),
        10
    );
    assert_eq!(rendered.text.matches(MARKUP).count(), 8, "{}", rendered.text);
}

#[test]
fn no_field_breaks_its_line_or_turns_it_round() {
    type Change = fn(&mut Letter, String);
    let fields: [(&str, Change, bool); 10] = [
        ("subject", |letter, text| letter.subject = text, false),
        ("preheader", |letter, text| letter.preheader = Some(text), false),
        ("heading", |letter, text| letter.heading = text, false),
        ("paragraph", |letter, text| letter.paragraphs[0] = text, true),
        (
            "author of the quote",
            |letter, text| letter.quote.as_mut().unwrap().author = text,
            false,
        ),
        ("quote", |letter, text| letter.quote.as_mut().unwrap().text = text, true),
        ("fact", |letter, text| letter.facts[0].0 = text, false),
        ("fact", |letter, text| letter.facts[1].1 = text, false),
        (
            "label of the button",
            |letter, text| letter.button.as_mut().unwrap().label = text,
            false,
        ),
        ("footer", |letter, text| letter.footer[0] = text, false),
    ];
    for (name, change, lines_allowed) in fields {
        for bad in [
            "a\r\nBcc: all@example.com",
            "a\nb",
            "a\rb",
            "a\0",
            "a\u{2028}b",
            "\u{202e}moc.elpmaxe",
            "\u{7}",
        ] {
            let mut letter = invitation().letter;
            change(&mut letter, bad.to_owned());
            let fine = lines_allowed && matches!(bad, "a\r\nBcc: all@example.com" | "a\nb");
            match letter.render() {
                Ok(_) => assert!(fine, "{name} took {bad:?}"),
                Err(MailError::Unfit { field, .. }) => {
                    assert!(!fine && field == name, "{field} is not {name}: {bad:?}")
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn the_button_leads_to_the_web_only() {
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "//vouch.example",
        "https://",
        "https:///x",
        "ftp://vouch.example",
        "https://vouch.example/ x",
        "https://vouch.example/\r\n",
        "https://vouch.example/\"><b>",
        "HTTPS",
        "",
    ] {
        let mut letter = invitation().letter;
        letter.button.as_mut().unwrap().url = url.to_owned();
        assert!(
            matches!(
                letter.render(),
                Err(MailError::Unfit {
                    field: "link of the button",
                    ..
                })
            ),
            "{url:?}"
        );
    }
}

on_both_databases! { names_cannot_forge_headers, the_message_arrives_as_it_was_written }

async fn names_cannot_forge_headers(database: TestDatabase) {
    let world = World::new(database).await;
    for bad in ["Ada\r\nBcc: all@example.com", "Ada\n", "\u{202e}ada"] {
        let mut mail = invitation();
        mail.from_name = bad.to_owned();
        assert!(
            matches!(
                world.write(&mail).await,
                Err(MailError::Unfit {
                    field: "sender's name",
                    ..
                })
            ),
            "{bad:?}"
        );
        let mut mail = invitation();
        mail.to_name = Some(bad.to_owned());
        assert!(
            matches!(
                world.write(&mail).await,
                Err(MailError::Unfit {
                    field: "recipient's name",
                    ..
                })
            ),
            "{bad:?}"
        );
    }
    let sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    let mut mail = invitation();
    mail.from_name = r#""Ada" <evil@example.com>, Bob; Carol"#.to_owned();
    mail.to_name = Some("Ærøskøbing, \"Grace\"".to_owned());
    mail.letter.subject = format!("=?utf-8?q?=E2=80=AEmoc?= {}", "Grüße ".repeat(40));
    world.write(&mail).await.unwrap();
    world.sent(&mail).await;
    let got = sink.messages().unwrap().pop().unwrap();
    assert_eq!(got.to, ["grace@example.org"]);
    let headers: Vec<_> = got.headers.iter().map(|(name, _)| name.as_str()).collect();
    let known = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Reply-To",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "MIME-Version",
        "Content-Type",
        "X-Peer",
        "X-MailFrom",
        "X-RcptTo",
    ];
    assert!(headers.iter().all(|name| known.contains(name)), "{headers:?}");
    // An encoded word in a name is taken apart, so that nobody's program decodes it.
    let shown = mail.letter.subject.replace("=?", "= ?");
    assert_eq!(got.header("subject").map(str::trim_end), Some(shown.trim_end()));
    assert!(
        got.header("to").is_some_and(|to| to.contains("Ærøskøbing")),
        "{headers:?}"
    );
    assert!(
        got.header("from")
            .is_some_and(|from| from.ends_with("<no-reply@vouch.example>")),
        "{:?}",
        got.header("from")
    );
}

async fn the_message_arrives_as_it_was_written(database: TestDatabase) {
    let world = World::new(database).await;
    let sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    let mail = invitation();
    let id = world.write(&mail).await.unwrap();
    world.sent(&mail).await;
    let got = sink.messages().unwrap().pop().unwrap();
    let rendered = mail.letter.render().unwrap();
    assert_eq!(
        (got.text.replace("\r\n", "\n"), got.html.replace("\r\n", "\n")),
        (rendered.text, rendered.html)
    );
    let steady = got
        .raw
        .replace("\r\n", "\n")
        .replace(&id.to_string(), &Uuid::nil().to_string());
    let steady = steady.replace(&id.as_uuid().simple().to_string(), &Uuid::nil().simple().to_string());
    assert_golden("invitation.message.txt", &steady);
}
