//! What a Prometheus server answers to a query.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Labels;
use super::promql::Value;

/// An answer, whatever its status code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: String,
    data: Option<Data>,
    error_type: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Element>),
    Scalar(Point),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: Point,
}

/// Seconds since the Unix epoch by the server's clock, and the value as text.
#[derive(Debug, Deserialize)]
struct Point(f64, String);

/// A value, and the moment for which the server computed it, seconds since the Unix epoch; `None` of an empty vector.
pub type Told = (Value, Option<f64>);

/// The value in an answer to `/api/v1/query`.
///
/// # Errors
/// With what the server says is wrong, or why the answer is none.
pub fn value(body: &[u8]) -> Result<Told, String> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| format!("this is not the answer of a Prometheus server: {error}"))?;
    if answer.status != "success" {
        let kind = answer.error_type.unwrap_or_default();
        let text = answer.error.unwrap_or_else(|| "no reason given".into());
        return Err(format!("the server refuses: {text} ({kind})"));
    }
    match answer.data {
        Some(Data::Scalar(point)) => Ok((Value::Scalar(number(&point)?), Some(point.0))),
        Some(Data::Vector(elements)) => {
            let at = elements.first().map(|element| element.value.0);
            let vector = elements.into_iter().map(|element| {
                let value = number(&element.value)?;
                Ok((Labels::new(element.metric), value))
            });
            Ok((Value::Vector(vector.collect::<Result<_, String>>()?), at))
        }
        Some(Data::Matrix(_)) => {
            Err("the expression gives a range; a gauge needs one value a series".into())
        }
        Some(Data::String(_)) => Err("the expression gives a text; a gauge needs a number".into()),
        None => Err("the server's answer has no data".into()),
    }
}

fn number(point: &Point) -> Result<f64, String> {
    let text = point.1.as_str();
    text.parse()
        .map_err(|_| format!("the server's value `{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_text_and_may_be_anything_a_float_can_be() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"x","a":"b"},"value":[1700000000.5,"1e-3"]},
            {"metric":{},"value":[1700000000.5,"+Inf"]},{"metric":{"c":"d"},"value":[1700000000.5,"NaN"]}]}}"#;
        let (value, at) = super::value(body).unwrap();
        assert_eq!(at, Some(1_700_000_000.5));
        let Value::Vector(vector) = value else {
            panic!()
        };
        assert_eq!(vector[0].0.to_string(), r#"x{a="b"}"#);
        assert!(
            (vector[0].1 - 0.001).abs() < 1e-18
                && vector[1].1.is_infinite()
                && vector[2].1.is_nan()
        );
        let body = br#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}}"#;
        assert_eq!(super::value(body).unwrap(), (Value::Scalar(7.0), Some(1.5)));
    }

    #[test]
    fn what_the_server_says_is_wrong_is_said() {
        let body =
            br#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\""}"#;
        let error = super::value(body).unwrap_err();
        assert_eq!(
            error,
            "the server refuses: invalid parameter \"query\" (bad_data)"
        );
        let matrix = br#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert!(super::value(matrix).unwrap_err().contains("a range"));
        for body in [&b""[..], b"<html>", b"[]", br#"{"status":"success"}"#] {
            assert!(super::value(body).is_err());
        }
    }
}
