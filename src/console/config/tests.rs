#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use super::*;

fn mistakes(text: &str) -> String {
    parse(text, "config.toml").unwrap_err().to_string()
}

#[test]
fn settings_are_read() {
    let text = "theme = \"colour-blind\"\ncolours = 256\nascii = true\n\n[keys]\nmark = [\"ctrl-m\"]\nhelp = \"f1\"\n";
    let config = parse(text, "config.toml").unwrap();
    let asked = Asked {
        theme: Some(Name::ColourBlind),
        colours: Some(Depth::Indexed),
        ascii: Some(true),
    };
    assert_eq!(config.asked, asked);
    assert_eq!(config.keymap.keys("mark"), ["ctrl-m"]);
    assert_eq!(config.keymap.keys("help"), ["F1"]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let auto = parse("theme = \"auto\"\ncolours = \"auto\"\n", "config.toml").unwrap();
    assert_eq!(auto.asked.colours, None);
    assert_eq!(parse("", "config.toml").unwrap(), Config::default());
}

#[test]
fn every_mistake_comes_with_its_place_and_a_way_out() {
    let text = "theem = \"dark\"\ntheme = \"drak\"\ncolours = 17\nascii = \"yes\"\nwidth = 3\n\n\
                [keys]\nmrak = [\"m\"]\nspike = [\"ctrl-nothing\", 5]\nhold = true\n";
    insta::assert_snapshot!(mistakes(text));
}

#[test]
fn a_mistake_of_syntax_comes_alone() {
    insta::assert_snapshot!(mistakes("theme = dark\nwidth = 3\n"));
}

#[test]
fn a_key_that_the_operator_bound_is_taken_from_what_had_it() {
    let config = parse("[keys]\nmark = [\"x\"]\n", "config.toml").unwrap();
    assert_eq!(config.keymap.keys("mark"), ["x"]);
    assert_eq!(config.keymap.keys("spike"), Vec::<String>::new());
    assert_eq!(config.warnings, ["`spike` has no key any more"]);
    let config = parse("[keys]\nmark = [\"=\"]\n", "config.toml").unwrap();
    assert_eq!(config.keymap.keys("raise"), ["+"]);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn two_bindings_of_one_key_are_told_where_both_mean_something() {
    let text = "[keys]\nmark = [\"f5\"]\nhold = [\"f5\"]\nstep = [\"f5\"]\n";
    let config = parse(text, "config.toml").unwrap();
    let sentence = "`F5` is bound to `hold` and to `mark`; it does `hold`";
    assert_eq!(config.warnings, [sentence]);
}

#[test]
fn what_is_bound_from_the_start_meets_nowhere() {
    let own: BTreeMap<String, Vec<String>> = ACTIONS
        .iter()
        .map(|known| (known.name, known.keys.split(' ')))
        .map(|(name, keys)| (name.to_owned(), keys.map(str::to_owned).collect()))
        .collect();
    let mut warnings = Vec::new();
    assert_eq!(settle(own, &mut warnings), Keymap::default());
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn the_file_is_where_xdg_says_or_at_home_and_need_not_be_there() {
    let env = |variables: &[(&str, &str)]| variables.iter().copied().collect::<Environment>();
    let home = [("HOME", "/home/ops")];
    let expected = PathBuf::from("/home/ops/.config/stormdeck/config.toml");
    assert_eq!(path(&env(&home)), Some(expected.clone()));
    let relative = [("HOME", "/home/ops"), ("XDG_CONFIG_HOME", "here")];
    assert_eq!(path(&env(&relative)), Some(expected));
    assert_eq!(path(&env(&[])), None);

    let dir = tempfile::tempdir().unwrap();
    let folder = [("XDG_CONFIG_HOME", dir.path().to_str().unwrap())];
    assert_eq!(load(&env(&folder)).unwrap(), Config::default());
    let file = path(&env(&folder)).unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "ascii = true\n").unwrap();
    assert_eq!(load(&env(&folder)).unwrap().asked.ascii, Some(true));
    std::fs::write(&file, "ascii = 1\n").unwrap();
    let error = load(&env(&folder)).unwrap_err().render(false);
    assert!(error.contains("config.toml:1:9"), "{error}");
}
