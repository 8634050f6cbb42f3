//! A number that a person wants changed: set (`300/s`), or moved from where it is (`+10%`, `-50/s`).
//!
//! It travels as the text that a person would type. What a relative change is relative to is decided by the conductor
//! at the moment it carries it out, so that two people who ask for `+10%` at once both get it.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::engine::command::Adjust;
use crate::profile::units::{Factor, Rate, UnitError, parse_count};

/// What a number should become. `U` is its unit: [`Rate`], [`Factor`] or [`Users`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<U> {
    /// This value: `300/s`.
    To(U),
    /// More by this: `+50/s`.
    Up(U),
    /// Less by this, never below 0: `-50/s`.
    Down(U),
    /// More or less by this many percent of what it is: `+10%`, `-25%`.
    Percent(f64),
}

/// A number of users, a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users(pub u32);

/// A number with a unit, as [`Change`] needs it.
pub trait Amount: Copy {
    /// Without the unit.
    fn number(self) -> f64;
}

impl Amount for Rate {
    fn number(self) -> f64 {
        self.0
    }
}

impl Amount for Factor {
    fn number(self) -> f64 {
        self.0
    }
}

impl Amount for Users {
    fn number(self) -> f64 {
        f64::from(self.0)
    }
}

impl FromStr for Users {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match parse_count(text) {
            Ok(users) if users.fract() == 0.0 && users <= f64::from(u32::MAX) => {
                Ok(Self(users as u32))
            }
            Ok(_) | Err(_) => Err(UnitError {
                text: text.chars().take(60).collect(),
                what: "a number of users",
                forms: "`500` or `1.5k`",
            }),
        }
    }
}

impl Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<U: Amount> Change<U> {
    /// The same without units, for the conductor.
    pub fn adjust(self) -> Adjust {
        match self {
            Self::To(value) => Adjust::To(value.number()),
            Self::Up(value) => Adjust::By(value.number()),
            Self::Down(value) => Adjust::By(-value.number()),
            Self::Percent(percent) => Adjust::Percent(percent),
        }
    }
}

impl<U: FromStr<Err = UnitError>> FromStr for Change<U> {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        // The typographic minus comes out of documents that people copy from.
        let (sign, rest) = match text.chars().next() {
            Some('+') => (1.0, &text[1..]),
            Some('-') => (-1.0, &text[1..]),
            Some('−') => (-1.0, &text['−'.len_utf8()..]),
            Some(_) | None => return text.parse().map(Self::To),
        };
        if let Some(share) = rest.strip_suffix('%') {
            // A factor knows a percentage, and refuses signs, exponents and what is no number.
            let _: Factor = rest.parse()?;
            return match share.trim().parse::<f64>() {
                Ok(percent) => Ok(Self::Percent(sign * percent)),
                Err(_) => rest.parse().map(Self::Up),
            };
        }
        let value = rest.parse()?;
        Ok(if sign > 0.0 {
            Self::Up(value)
        } else {
            Self::Down(value)
        })
    }
}

impl<U: Display> Display for Change<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(value) => value.fmt(f),
            Self::Up(value) => write!(f, "+{value}"),
            Self::Down(value) => write!(f, "-{value}"),
            Self::Percent(percent) => write!(f, "{percent:+}%"),
        }
    }
}

impl<U: Display> Serialize for Change<U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, U: FromStr<Err = UnitError>> Deserialize<'de> for Change<U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_read_as_a_person_means_it() {
        let rate = |text: &str| text.parse::<Change<Rate>>();
        assert_eq!(rate("300/s").unwrap(), Change::To(Rate(300.0)));
        assert_eq!(rate(" +50/s ").unwrap(), Change::Up(Rate(50.0)));
        assert_eq!(rate("−50/s").unwrap(), Change::Down(Rate(50.0)));
        assert_eq!(rate("-12.5%").unwrap(), Change::Percent(-12.5));
        for wrong in [
            "", "+", "-", "%", "+%", "300", "--5/s", "+-5%", "+1e9%", "5%",
        ] {
            assert!(rate(wrong).is_err(), "{wrong:?}");
        }
        let factor = |text: &str| text.parse::<Change<Factor>>().unwrap();
        assert_eq!(factor("150%"), Change::To(Factor(1.5)));
        assert_eq!(factor("+0.5x"), Change::Up(Factor(0.5)));
        assert_eq!(factor("+50%"), Change::Percent(50.0));
        let users = |text: &str| text.parse::<Change<Users>>();
        assert_eq!(users("1.5k").unwrap(), Change::To(Users(1500)));
        assert!(users("1.5").is_err() && users("5M/s").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_change_or_an_error(text in "\\PC{0,12}") {
            let _ = text.parse::<Change<Rate>>();
            let _ = text.parse::<Change<Users>>();
            let _ = text.parse::<Change<Factor>>();
        }

        #[test]
        fn a_change_reads_back_as_itself(value in 0.0..1e6f64, kind in 0..4) {
            let change = match kind {
                0 => Change::To(Factor(value)),
                1 => Change::Up(Factor(value)),
                2 => Change::Down(Factor(value)),
                _ => Change::Percent(value),
            };
            prop_assert_eq!(change.to_string().parse::<Change<Factor>>().unwrap(), change);
        }
    }
}
