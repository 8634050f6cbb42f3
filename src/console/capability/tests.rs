#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use super::*;

fn found(variables: &[(&str, &str)]) -> Capability {
    let mut env: Vec<(&str, &str)> = vec![("LANG", "en_US.UTF-8")];
    env.extend(variables);
    find(&env.into_iter().collect(), Asked::default()).unwrap()
}

#[test]
fn colours_are_as_many_as_the_terminal_says() {
    let cases: [(&[(&str, &str)], Depth); 14] = [
        (&[("TERM", "xterm-256color")], Depth::Indexed),
        (&[("TERM", "xterm")], Depth::Indexed),
        (
            &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
            Depth::True,
        ),
        (
            &[("TERM", "xterm-256color"), ("COLORTERM", "24bit")],
            Depth::True,
        ),
        (
            &[("TERM", "xterm-256color"), ("COLORTERM", "1")],
            Depth::Indexed,
        ),
        (&[("TERM", "xterm-direct")], Depth::True),
        (
            &[
                ("TERM", "tmux-256color"),
                ("COLORTERM", "truecolor"),
                ("TMUX", "/tmp/x"),
            ],
            Depth::True,
        ),
        (
            &[
                ("TERM", "screen-256color"),
                ("COLORTERM", "truecolor"),
                ("STY", "1.x"),
            ],
            Depth::Indexed,
        ),
        (&[("TERM", "linux")], Depth::Basic),
        (
            &[("TERM", "linux"), ("COLORTERM", "truecolor")],
            Depth::Basic,
        ),
        (&[("TERM", "xterm-16color")], Depth::Basic),
        (&[("TERM", "something-new")], Depth::Basic),
        (&[("TERM", "vt220")], Depth::None),
        (
            &[
                ("TERM", "xterm-256color"),
                ("COLORTERM", "truecolor"),
                ("NO_COLOR", "1"),
            ],
            Depth::None,
        ),
    ];
    for (variables, depth) in cases {
        assert_eq!(found(variables).depth, depth, "{variables:?}");
    }
    let empty = [("TERM", "xterm-256color"), ("NO_COLOR", "")];
    assert_eq!(found(&empty).depth, Depth::Indexed);
}

#[test]
fn what_the_operator_asks_for_wins() {
    let env: Environment = [("TERM", "xterm"), ("NO_COLOR", "1"), ("LC_ALL", "C")]
        .into_iter()
        .collect();
    let asked = Asked {
        theme: Some(Name::Light),
        colours: Some(Depth::True),
        ascii: Some(false),
    };
    let capability = find(&env, asked).unwrap();
    assert_eq!(capability.depth, Depth::True);
    assert!(!capability.glyphs.ascii);
    let config = Asked {
        theme: Some(Name::Dark),
        ..Asked::default()
    };
    assert_eq!(asked.or(config), asked);
    assert_eq!(Asked::default().or(config), config);
}

#[test]
fn a_locale_without_utf_8_means_ascii_and_the_first_that_is_set_decides() {
    let cases: [(&[(&str, &str)], bool); 8] = [
        (&[("LANG", "de_DE.UTF-8")], false),
        (&[("LANG", "de_DE.utf8")], false),
        (&[("LANG", "C.UTF-8")], false),
        (&[("LANG", "C")], true),
        (&[("LANG", "de_DE.ISO-8859-1")], true),
        (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "POSIX")], true),
        (&[("LANG", "C"), ("LC_CTYPE", "en_GB.UTF-8")], false),
        (&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "")], false),
    ];
    for (variables, ascii) in cases {
        let term = [("TERM", "xterm")];
        let env = term.iter().chain(variables).copied().collect();
        let capability = find(&env, Asked::default()).unwrap();
        assert_eq!(capability.glyphs.ascii, ascii, "{variables:?}");
    }
    let none = find(&[("TERM", "xterm")].into_iter().collect(), Asked::default());
    assert!(!none.unwrap().glyphs.ascii);
    let serial = find(&[("TERM", "vt100")].into_iter().collect(), Asked::default());
    assert!(serial.unwrap().glyphs.ascii);
}

#[test]
fn the_linux_console_gets_what_its_font_has() {
    assert_eq!(found(&[("TERM", "linux")]).glyphs, Glyphs::CONSOLE);
    assert_eq!(found(&[("TERM", "linux")]).dark, Some(true));
}

#[test]
fn a_dumb_terminal_is_refused_with_the_ways_round() {
    for (variables, why) in [
        (vec![("TERM", "dumb")], "TERM=dumb"),
        (vec![], "TERM is not set"),
        (vec![("TERM", "")], "TERM is not set"),
    ] {
        let error = find(&variables.into_iter().collect(), Asked::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(why), "{text}");
        assert!(
            text.contains("--plain") && text.contains("--headless"),
            "{text}"
        );
    }
}

#[test]
fn only_a_terminal_that_will_answer_is_asked_and_only_when_it_matters() {
    let asks = |variables: &[(&str, &str)], theme| {
        let asked = Asked {
            theme,
            ..Asked::default()
        };
        let mut was_asked = false;
        let answer = || {
            was_asked = true;
            Answer::Light
        };
        let made = super::theme(&found(variables), asked, answer).theme;
        (was_asked, made)
    };
    let plain: &[(&str, &str)] = &[("TERM", "xterm-256color")];
    let light = Theme::new(Name::Light, false, Depth::Indexed, Glyphs::UNICODE);
    assert_eq!(asks(plain, None), (true, light.clone()));
    assert!(asks(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x")], None).0);
    for silent in [
        [("TERM", "screen-256color"), ("STY", "1.pts")].as_slice(),
        &[("TERM", "linux")],
        &[("TERM", "xterm-256color"), ("COLORFGBG", "15;0")],
        &[("TERM", "xterm-256color"), ("NO_COLOR", "1")],
        &[
            ("TERM", "xterm-256color"),
            ("SSH_CONNECTION", "a"),
            ("NCURSES_NO_UTF8_ACS", "1"),
        ],
    ] {
        assert!(!asks(silent, None).0, "{silent:?}");
    }
    assert!(!asks(plain, Some(Name::Dark)).0);
    let exported = [("TERM", "rxvt"), ("COLORFGBG", "0;default;15")];
    assert_eq!(asks(&exported, None), (false, light));
}

#[test]
fn after_a_late_answer_the_keys_are_ignored_for_a_while() {
    let capability = found(&[("TERM", "xterm-256color")]);
    let deaf = |answer| super::theme(&capability, Asked::default(), || answer).deaf;
    assert_eq!(deaf(Answer::Late), DEAF);
    assert_eq!(deaf(Answer::Dark), Duration::ZERO);
    assert_eq!(deaf(Answer::Unknown), Duration::ZERO);
}
