//! Gauges: expressions with a name, and the series that their values become.
//!
//! In: what was recorded, and a moment. Out: the values of each gauge, by the name of the series in the session. The
//! invariant: a value that is given was computed from recorded samples alone, so that a recording gives it again.

use std::collections::{BTreeMap, HashSet};

use super::Labels;
use super::labels::NAME;
use super::promql::{Query, Refused, Selector, Value};
use super::store::Store;

/// Series that a gauge can come to have in a window: those with the largest values are taken first, and what was taken
/// stays.
pub const MOST_SERIES: usize = 100;

/// How far back a gauge may look, ms: what it needs is kept in memory.
const MOST_REACH: i64 = 7 * 24 * 3_600 * 1_000;

/// An expression and what becomes of it.
#[derive(Debug)]
pub struct Gauge {
    query: Query,
    naming: Naming,
    trouble: Trouble,
    /// Series that were too many, when it was read last.
    pub beyond: usize,
}

/// Gives the values of a gauge their series.
#[derive(Debug)]
pub struct Naming {
    name: String,
    taken: HashSet<Labels>,
}

/// What is wrong, told once until it is something else.
#[derive(Debug, Default)]
pub struct Trouble(Option<String>);

impl Trouble {
    /// Takes in how it went. Gives what is wrong if that was not so before.
    pub fn update(&mut self, now: Option<String>) -> Option<String> {
        let said = now.clone().filter(|_| self.0 != now);
        self.0 = now;
        said
    }
}

/// What a gauge came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Name of the series, and value.
    pub values: BTreeMap<String, f64>,
    /// Series beyond [`MOST_SERIES`].
    pub beyond: usize,
}

impl Gauge {
    /// A gauge of this name, of one target (its name, the label `job` of its series) or of all.
    ///
    /// # Errors
    /// With what of the expression is not understood.
    pub fn new(name: &str, of: Option<&str>, expr: &str) -> Result<Self, Refused> {
        let query = Query::parse(expr)?;
        if query.looks_at_fixed_moments() {
            return Err(Refused {
                message: "`@` names a moment, and a gauge shows the present".into(),
                span: expr.find('@').map(|at| at..at + 1),
            });
        }
        let mut selectors = query.selectors().iter();
        if selectors.any(|selector| selector.reach > MOST_REACH) {
            return Err(Refused {
                message: "a gauge looks back a week at most".into(),
                span: None,
            });
        }
        let query = match of {
            Some(target) => query.restricted("job", target),
            None => query,
        };
        Ok(Self {
            query,
            naming: Naming::new(name),
            trouble: Trouble::default(),
            beyond: 0,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.naming.name
    }

    /// What it looks at.
    pub fn selectors(&self) -> &[Selector] {
        self.query.selectors()
    }

    /// Its values at a moment, ms since the Unix epoch. An expression that fails has none, and says why once.
    pub fn read(&mut self, store: &Store, at: i64) -> (Reading, Option<String>) {
        match self.query.eval(store, at) {
            Ok(value) => {
                self.trouble.update(None);
                (self.naming.read(value), None)
            }
            Err(error) => (
                Reading::default(),
                self.trouble.update(Some(error.to_string())),
            ),
        }
    }
}

impl Naming {
    /// For a gauge of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            taken: HashSet::new(),
        }
    }

    /// The gauge's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values by the names of their series.
    pub fn read(&mut self, value: Value) -> Reading {
        let vector = match value {
            Value::Scalar(value) => vec![(Labels::default(), value)],
            Value::Vector(vector) => vector,
        };
        let beyond = self.take_in(&vector);
        let values = vector
            .into_iter()
            .filter(|(labels, _)| self.taken.contains(labels))
            .map(|(labels, value)| (series_name(&self.name, &labels), value));
        Reading {
            values: values.collect(),
            beyond,
        }
    }

    /// Takes in series that are new, the largest first, as long as there is room. Gives how many there was none for.
    fn take_in(&mut self, vector: &[(Labels, f64)]) -> usize {
        let mut fresh: Vec<&(Labels, f64)> = vector
            .iter()
            .filter(|(labels, _)| !self.taken.contains(labels))
            .collect();
        fresh.sort_by(|a, b| b.1.total_cmp(&a.1));
        let room = MOST_SERIES - self.taken.len();
        let taken = fresh.iter().take(room).map(|(labels, _)| labels.clone());
        self.taken.extend(taken.collect::<Vec<_>>());
        fresh.len().saturating_sub(room)
    }
}

/// The name of a gauge's series: the gauge's own, followed by the labels that the value has.
pub fn series_name(gauge: &str, labels: &Labels) -> String {
    let rest = labels.iter().filter(|(name, _)| *name != NAME);
    let rest = Labels::new(rest);
    if rest.is_empty() {
        gauge.to_owned()
    } else {
        format!("{gauge}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(count: usize) -> Value {
        let labels = |pod: usize| Labels::new([("pod", format!("p{pod}")), (NAME, "x".into())]);
        Value::Vector((0..count).map(|pod| (labels(pod), pod as f64)).collect())
    }

    #[test]
    fn a_gauge_has_a_series_for_each_label_set_and_one_of_its_own_name_without() {
        let mut gauge = Naming::new("load");
        let reading = gauge.read(vector(2));
        let names: Vec<&str> = reading.values.keys().map(String::as_str).collect();
        assert_eq!(names, [r#"load{pod="p0"}"#, r#"load{pod="p1"}"#]);
        let reading = gauge.read(Value::Scalar(2.5));
        assert_eq!(reading.values, BTreeMap::from([("load".to_owned(), 2.5)]));
    }

    #[test]
    fn the_largest_are_taken_stay_and_the_rest_is_counted() {
        let mut gauge = Naming::new("load");
        let reading = gauge.read(vector(MOST_SERIES + 7));
        assert_eq!((reading.values.len(), reading.beyond), (MOST_SERIES, 7));
        assert!(!reading.values.contains_key(r#"load{pod="p6"}"#));
        assert!(reading.values.contains_key(r#"load{pod="p7"}"#));
        let reading = gauge.read(vector(10));
        assert_eq!((reading.values.len(), reading.beyond), (3, 7));
    }
}
