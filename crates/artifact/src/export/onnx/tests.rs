//! Tests of the graph's structure, with a model that has every part.
//!
//! That the graph gives the scorer's numbers is tested with ONNX Runtime and others, by
//! `parity/onnx_parity.py`.

use std::collections::BTreeSet;

use prost::Message;
use scorer::Parts;
use terms::{DayGrid, Grain};

use super::onnx_model;
use super::proto::{AttributeProto, ModelProto, NodeProto};
use crate::export::outputs;
use crate::export::test_model::parts;

fn decoded(parts: &Parts) -> ModelProto {
    ModelProto::decode(onnx_model(parts).unwrap().as_slice()).unwrap()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> &'a AttributeProto {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
}

fn doubles(attribute: &AttributeProto) -> Vec<f64> {
    let bytes = attribute.t.as_ref().unwrap().raw_data.chunks_exact(8);
    bytes.map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn every_value_is_made_before_it_is_used_and_only_once() {
    for grain in [Grain::Instant, Grain::WholeDays, Grain::Date] {
        let graph = decoded(&Parts { grain, ..parts() }).graph.unwrap();
        let mut known: BTreeSet<String> = graph.input.iter().map(|v| v.name.clone()).collect();
        let mut used = BTreeSet::new();
        for constant in &graph.initializer {
            assert!(known.insert(constant.name.clone()), "{} twice", constant.name);
            let n: i64 = constant.dims.iter().product();
            let bytes = match constant.data_type {
                1 => 4,
                9 => 1,
                _ => 8,
            };
            assert_eq!(constant.raw_data.len() as i64, n * bytes, "{}", constant.name);
        }
        for node in &graph.node {
            for input in &node.input {
                assert!(known.contains(input), "{} uses {input}", node.name);
                used.insert(input.clone());
            }
            for output in &node.output {
                assert!(known.insert(output.clone()), "{output} twice");
            }
        }
        let published: Vec<&str> = graph.output.iter().map(|v| v.name.as_str()).collect();
        let expected = outputs::all(DayGrid::up_to(180).unwrap());
        assert_eq!(published, expected.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
        assert!(published.contains(&"hours_p50") && published.contains(&"probability_by_day_180"));
        for name in known {
            let is_published = published.contains(&name.as_str());
            let is_spare = name.ends_with("/positions");
            assert!(used.contains(&name) || is_published || is_spare, "{name} is for nothing");
        }
    }
}

#[test]
fn the_model_says_which_operators_it_needs() {
    let model = decoded(&parts());
    assert_eq!(model.ir_version, 10);
    let sets: Vec<_> = model.opset_import.iter().map(|s| (s.domain.as_str(), s.version)).collect();
    assert_eq!(sets, [("", 21), ("ai.onnx.ml", 5)]);
    let nodes = model.graph.unwrap().node;
    let domains: BTreeSet<_> = nodes.iter().map(|node| node.domain.as_str()).collect();
    assert_eq!(domains, BTreeSet::from(["", "ai.onnx.ml"]));
    assert_eq!(nodes.iter().filter(|node| node.op_type == "TreeEnsemble").count(), 3);
    let features = model.metadata_props.iter().find(|entry| entry.key == "features").unwrap();
    assert!(features.value.starts_with("distance_km,region,"));
}

#[test]
fn equal_models_give_equal_bytes_and_others_give_others() {
    let bytes = onnx_model(&parts()).unwrap();
    let again = Parts::decode(&parts().encode()).unwrap();
    assert_eq!(onnx_model(&again).unwrap(), bytes);
    let other = Parts { tail_ratio: 0.5, ..parts() };
    assert_ne!(onnx_model(&other).unwrap(), bytes);
}

#[test]
fn a_tree_is_a_target_and_its_branches_are_the_splits() {
    let graph = decoded(&parts()).graph.unwrap();
    let node = graph.node.iter().find(|node| node.op_type == "TreeEnsemble").unwrap();
    // The base, and the gate's only tree.
    assert_eq!(attribute(node, "n_targets").i, Some(2));
    assert_eq!(attribute(node, "leaf_targetids").ints, [1, 1, 1]);
    assert_eq!(doubles(attribute(node, "leaf_weights")), [0.0, 1.0, 2.0]);
    assert_eq!(attribute(node, "nodes_modes").t.as_ref().unwrap().raw_data, [6, 0]);
    // Codes are looked up in the column after the features, as numbers from 1 on.
    assert_eq!(attribute(node, "nodes_featureids").ints, [5, 0]);
    let members = doubles(attribute(node, "membership_values"));
    assert_eq!(members[..2], [1.0, 71.0]);
    assert!(members[2].is_nan() && members.len() == 3);
    // Missing values go left, so the codes, if it is true that the value is one, go right.
    assert_eq!(attribute(node, "nodes_trueleafs").ints, [1, 1]);
    assert_eq!(attribute(node, "nodes_truenodeids").ints, [2, 0]);
    assert_eq!(attribute(node, "nodes_falseleafs").ints, [0, 1]);
    assert_eq!(attribute(node, "nodes_falsenodeids").ints, [1, 1]);
    assert_eq!(attribute(node, "nodes_missing_value_tracks_true").ints, [0, 1]);
    assert_eq!(doubles(attribute(node, "nodes_splits"))[1], 500.0);
}
