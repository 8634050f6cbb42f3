use proptest::prelude::*;

use super::*;

fn seconds(text: &str) -> f64 {
    parse_duration(text).unwrap().as_secs_f64()
}

#[test]
fn rates_are_read_in_every_unit() {
    for (text, per_second) in [
        ("200/s", 200.0),
        ("1.5k/s", 1500.0),
        ("2M/s", 2e6),
        ("120/min", 2.0),
        ("3/h", 3.0 / 3600.0),
        (" 10 / s ", 10.0),
        ("0/s", 0.0),
    ] {
        assert_eq!(text.parse(), Ok(Rate(per_second)), "{text}");
    }
}

#[test]
fn a_rate_without_its_unit_is_refused_and_told_how() {
    let error = "200".parse::<Rate>().unwrap_err().to_string();
    assert_eq!(
        error,
        "`200` is not a rate; write it like `200/s`, `1.5k/s`, `100/min` or `3/h`"
    );
    for text in [
        "", "/s", "-1/s", "1e3/s", "NaN/s", "inf/s", "1./s", "1/week", "1.2.3/s",
    ] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
}

#[test]
fn rates_print_as_people_write_them() {
    for text in ["200/s", "1.5k/s", "2M/s", "100/min", "7/h", "0.5/s"] {
        assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
    }
}

#[test]
fn factors_are_multiples_or_percentages() {
    assert_eq!("1.5x".parse(), Ok(Factor(1.5)));
    assert_eq!("150%".parse(), Ok(Factor(1.5)));
    assert_eq!("2".parse(), Ok(Factor(2.0)));
    assert!("x".parse::<Factor>().is_err());
    assert!("-1x".parse::<Factor>().is_err());
}

#[test]
fn shares_lie_between_nothing_and_all() {
    assert_eq!("0.1%".parse(), Ok(Ratio(0.001)));
    assert_eq!("100%".parse(), Ok(Ratio(1.0)));
    assert_eq!("0.25".parse(), Ok(Ratio(0.25)));
    assert!("101%".parse::<Ratio>().is_err());
    assert!("2".parse::<Ratio>().is_err());
    for text in ["0.1%", "99.9%", "2%", "0%", "100%"] {
        assert_eq!(text.parse::<Ratio>().unwrap().to_string(), text);
    }
}

#[test]
fn times_add_up_their_parts() {
    assert!((seconds("2h30m") - 9000.0).abs() < 1e-9);
    assert!((seconds("2h 30m") - 9000.0).abs() < 1e-9);
    assert!((seconds("1d") - 86_400.0).abs() < 1e-9);
    assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
    assert_eq!(parse_duration("10us"), Ok(Duration::from_micros(10)));
    assert_eq!(parse_duration("10µs"), Ok(Duration::from_micros(10)));
    assert_eq!(parse_duration("5min"), Ok(Duration::from_mins(5)));
}

#[test]
fn times_out_of_order_without_unit_or_beyond_all_bounds_are_refused() {
    for text in [
        "",
        " ",
        "10",
        "30m2h",
        "1s1s",
        "1h-5m",
        "1001d",
        "99999999999999999999d",
        "5 parsecs",
    ] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn times_print_short() {
    for text in [
        "0s", "250ms", "1.5s", "2h30m", "1d", "10us", "1.25ms", "1m0.5s", "7ns",
    ] {
        assert_eq!(format_duration(parse_duration(text).unwrap()), text);
    }
}

#[test]
fn sizes_are_decimal_or_binary() {
    for (text, bytes) in [
        ("400MiB", 400 << 20),
        ("10MB", 10_000_000),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5GiB", 3 << 29),
        ("512", 512),
        ("512 B", 512),
    ] {
        assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "1XB", "-1", "99999999999TB"] {
        assert!(parse_bytes(text).is_err(), "{text}");
    }
}

#[test]
fn think_times_are_fixed_uniform_or_exponential() {
    for text in ["1s", "1s..3s", "exp 2s", "none"] {
        assert_eq!(text.parse::<ThinkTime>().unwrap().to_string(), text);
    }
    for text in ["3s..1s", "..", "exp", "1s..", "soon"] {
        assert!(text.parse::<ThinkTime>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn every_rate_reads_back_as_itself(value in 0.0f64..1e9) {
        let rate = Rate(value);
        prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
    }

    #[test]
    fn every_written_rate_reads_back_as_itself(n in 0u32..100_000, unit in prop::sample::select(vec!["s", "min", "h", "d"])) {
        let rate: Rate = format!("{n}/{unit}").parse().unwrap();
        prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
    }

    #[test]
    fn every_factor_and_share_reads_back_as_itself(value in 0.0f64..=1.0) {
        prop_assert_eq!(Factor(value).to_string().parse::<Factor>(), Ok(Factor(value)));
        prop_assert_eq!(Ratio(value).to_string().parse::<Ratio>(), Ok(Ratio(value)));
    }

    #[test]
    fn every_time_reads_back_as_itself(nanos in 0u64..86_400_000_000_000_000, coarse in 0u32..16) {
        let nanos = nanos / 10u64.pow(coarse) * 10u64.pow(coarse);
        let time = Duration::from_nanos(nanos);
        prop_assert_eq!(parse_duration(&format_duration(time)), Ok(time));
    }

    #[test]
    fn every_size_reads_back_as_itself(bytes: u64, shift in 0u32..64) {
        let bytes = bytes >> shift << (shift / 2);
        prop_assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,24}|[0-9.]{0,30}[a-zµ/%. ]{0,6}[0-9]{0,4}[a-z]{0,3}") {
        let _ = text.parse::<Rate>();
        let _ = text.parse::<Factor>();
        let _ = text.parse::<Ratio>();
        let _ = text.parse::<ThinkTime>();
        let _ = parse_duration(&text);
        let _ = parse_bytes(&text);
        let _ = parse_count(&text);
    }
}
