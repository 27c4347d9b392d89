//! A graph that is written node by node, each value of which has a name of its own.
//!
//! Operators, and what they mean, are those of the standard's set 21; all arithmetic is in f64, each
//! operation a node, so that a runtime rounds where the scorer does.

use super::proto::{
    ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_TENSOR, AttributeProto, BOOL, DOUBLE, Dimension,
    DimensionProto, FLOAT, GraphProto, INT64, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, UINT8, ValueInfoProto,
};

/// The domain of the operators for machine learning.
pub(super) const ML_DOMAIN: &str = "ai.onnx.ml";

/// A value of the graph, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value(String);

/// A graph so far.
#[derive(Default)]
pub(super) struct Graph {
    proto: GraphProto,
    /// What the names of nodes begin with: the part of the model that they compute.
    part: String,
}

impl Graph {
    pub(super) fn new(name: &str) -> Self {
        let proto = GraphProto { name: name.to_owned(), ..GraphProto::default() };
        Self { proto, part: String::new() }
    }

    pub(super) fn finish(self) -> GraphProto {
        self.proto
    }

    /// The nodes that follow belong to this part of the model.
    pub(super) fn begin(&mut self, part: &str) {
        part.clone_into(&mut self.part);
    }

    /// An input of N rows. Shapes: N x `width`.
    pub(super) fn input(&mut self, name: &str, width: usize, doc: &str) -> Value {
        self.proto.input.push(rows_of_doubles(name, width, doc));
        Value(name.to_owned())
    }

    /// Makes the columns of a value outputs of N rows each, with these names and what they are.
    /// Shapes: `value` N x as many as names.
    pub(super) fn outputs(&mut self, value: &Value, columns: &[(String, String)]) {
        let attribute = vec![integer("axis", 1), integer("num_outputs", columns.len() as i64)];
        let name = self.next_name("Split");
        let output = columns.iter().map(|(name, _)| name.clone()).collect();
        self.push("Split", "", name, &[value], output, attribute);
        for (name, doc) in columns {
            self.proto.output.push(rows_of_doubles(name, 1, doc));
        }
    }

    /// The one output of a node without attributes.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&Value]) -> Value {
        self.node_with(operator, inputs, Vec::new())
    }

    /// The one output of a node.
    pub(super) fn node_with(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        let name = self.next_name(operator);
        let mut output = vec![name.clone()];
        if operator == "TopK" {
            output.push(format!("{name}/positions"));
        }
        self.push(operator, "", name.clone(), inputs, output, attributes);
        Value(name)
    }

    /// The one output of a node of an operator for machine learning.
    pub(super) fn ml_node(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        let name = self.next_name(operator);
        self.push(operator, ML_DOMAIN, name.clone(), inputs, vec![name.clone()], attributes);
        Value(name)
    }

    fn next_name(&self, operator: &str) -> String {
        format!("{}/{operator}_{}", self.part, self.proto.node.len())
    }

    fn push(
        &mut self,
        operator: &str,
        domain: &str,
        name: String,
        inputs: &[&Value],
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output,
            name,
            op_type: operator.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
    }

    fn constant(&mut self, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Value {
        let tensor = tensor(dims, data_type, raw_data);
        // The same numbers are written once.
        if let Some(known) = self.proto.initializer.iter().find(|known| {
            known.data_type == tensor.data_type
                && known.dims == tensor.dims
                && known.raw_data == tensor.raw_data
        }) {
            return Value(known.name.clone());
        }
        let name = format!("constant_{}", self.proto.initializer.len());
        self.proto.initializer.push(TensorProto { name: name.clone(), ..tensor });
        Value(name)
    }

    /// A constant of f64. Shapes: `values` has as many as `dims` say.
    pub(super) fn doubles(&mut self, dims: &[usize], values: &[f64]) -> Value {
        self.constant(dims, DOUBLE, little_endian(values, |value| value.to_le_bytes()))
    }

    /// A constant of f32.
    pub(super) fn floats(&mut self, dims: &[usize], values: &[f32]) -> Value {
        self.constant(dims, FLOAT, little_endian(values, |value| value.to_le_bytes()))
    }

    /// A constant of i64.
    pub(super) fn integers(&mut self, dims: &[usize], values: &[i64]) -> Value {
        self.constant(dims, INT64, little_endian(values, |value| value.to_le_bytes()))
    }

    /// A constant of truth values.
    pub(super) fn flags(&mut self, dims: &[usize], values: &[bool]) -> Value {
        self.constant(dims, BOOL, values.iter().map(|&value| u8::from(value)).collect())
    }

    /// One f64 for all rows.
    pub(super) fn number(&mut self, value: f64) -> Value {
        self.doubles(&[1, 1], &[value])
    }

    /// Zeros for as many rows as `of` has. Shapes: N x `width`.
    pub(super) fn zeros(&mut self, of: &Value, width: usize) -> Value {
        let n_rows = self.node_with("Shape", &[of], vec![integer("start", 0), integer("end", 1)]);
        let width = self.integers(&[1], &[width as i64]);
        let shape = self.concat(&[&n_rows, &width], 0);
        let zero = self.number(0.0);
        self.node("Expand", &[&zero, &shape])
    }

    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Add", &[a, b])
    }

    pub(super) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Sub", &[a, b])
    }

    pub(super) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Mul", &[a, b])
    }

    pub(super) fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Div", &[a, b])
    }

    pub(super) fn max(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Max", &[a, b])
    }

    pub(super) fn min(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Min", &[a, b])
    }

    pub(super) fn at_most(&mut self, a: &Value, b: &Value) -> Value {
        self.node("LessOrEqual", &[a, b])
    }

    pub(super) fn below(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Less", &[a, b])
    }

    pub(super) fn choose(&mut self, condition: &Value, then: &Value, otherwise: &Value) -> Value {
        self.node("Where", &[condition, then, otherwise])
    }

    /// As `f64::clamp`: not-a-number stays what it is.
    pub(super) fn clamp(&mut self, value: &Value, low: f64, high: f64) -> Value {
        let (low, high) = (self.number(low), self.number(high));
        let (is_below, is_above) = (self.below(value, &low), self.below(&high, value));
        let capped = self.choose(&is_above, &high, value);
        self.choose(&is_below, &low, &capped)
    }

    /// The remainder with the sign of the first, as `%`.
    pub(super) fn remainder(&mut self, a: &Value, b: &Value) -> Value {
        self.node_with("Mod", &[a, b], vec![integer("fmod", 1)])
    }

    pub(super) fn cast_to_f64(&mut self, value: &Value) -> Value {
        self.node_with("Cast", &[value], vec![integer("to", DOUBLE.into())])
    }

    pub(super) fn cast_to_f32(&mut self, value: &Value) -> Value {
        self.node_with("Cast", &[value], vec![integer("to", FLOAT.into())])
    }

    /// Truncates to i64.
    pub(super) fn cast_to_i64(&mut self, value: &Value) -> Value {
        self.node_with("Cast", &[value], vec![integer("to", INT64.into())])
    }

    /// The positions along an axis. Shapes: those of `positions` in place of the axis.
    pub(super) fn take(&mut self, data: &Value, positions: &Value, axis: i64) -> Value {
        self.node_with("Gather", &[data, positions], vec![integer("axis", axis)])
    }

    /// One position along an axis, which stays, of length 1.
    pub(super) fn take_one(&mut self, data: &Value, position: usize, axis: i64) -> Value {
        let position = self.integers(&[1], &[position as i64]);
        self.take(data, &position, axis)
    }

    /// For each of `positions` the element along the axis, everything else being equal.
    pub(super) fn pick(&mut self, data: &Value, positions: &Value, axis: i64) -> Value {
        self.node_with("GatherElements", &[data, positions], vec![integer("axis", axis)])
    }

    /// The positions `from..to` along an axis.
    pub(super) fn slice(&mut self, data: &Value, axis: i64, from: usize, to: usize) -> Value {
        let [from, to, axis] = [from as i64, to as i64, axis].map(|at| self.integers(&[1], &[at]));
        self.node("Slice", &[data, &from, &to, &axis])
    }

    pub(super) fn concat(&mut self, values: &[&Value], axis: i64) -> Value {
        self.node_with("Concat", values, vec![integer("axis", axis)])
    }

    pub(super) fn unsqueeze(&mut self, value: &Value, axis: i64) -> Value {
        let axis = self.integers(&[1], &[axis]);
        self.node("Unsqueeze", &[value, &axis])
    }

    pub(super) fn squeeze(&mut self, value: &Value, axis: i64) -> Value {
        let axis = self.integers(&[1], &[axis]);
        self.node("Squeeze", &[value, &axis])
    }

    /// Running sums along an axis, added up one after the other.
    pub(super) fn running_sum(&mut self, value: &Value, axis: i64) -> Value {
        let axis = self.integers(&[], &[axis]);
        self.node("CumSum", &[value, &axis])
    }

    /// How many along an axis are true, as f64; the axis goes.
    pub(super) fn count(&mut self, flags: &Value, axis: i64) -> Value {
        let ones = self.cast_to_f64(flags);
        let axis = self.integers(&[1], &[axis]);
        self.node_with("ReduceSum", &[&ones, &axis], vec![integer("keepdims", 0)])
    }

    /// Ascending along the last axis, which has length `n`.
    pub(super) fn sorted(&mut self, value: &Value, n: usize) -> Value {
        let n = self.integers(&[1], &[n as i64]);
        let attributes = vec![integer("axis", -1), integer("largest", 0), integer("sorted", 1)];
        self.node_with("TopK", &[value, &n], attributes)
    }

    /// Running maxima along the second axis, which has length `n`: each round looks twice as far back.
    pub(super) fn running_max(&mut self, value: &Value, n: usize) -> Value {
        let mut so_far = value.clone();
        let mut back = 1;
        while back < n {
            let first = self.slice(&so_far, 1, 0, back);
            let (later, earlier) =
                (self.slice(&so_far, 1, back, n), self.slice(&so_far, 1, 0, n - back));
            let larger = self.max(&later, &earlier);
            so_far = self.concat(&[&first, &larger], 1);
            back *= 2;
        }
        so_far
    }
}

fn little_endian<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

fn tensor(dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> TensorProto {
    let dims = dims.iter().map(|&dim| dim as i64).collect();
    TensorProto { dims, data_type, name: String::new(), raw_data }
}

fn rows_of_doubles(name: &str, width: usize, doc: &str) -> ValueInfoProto {
    let rows = Dimension::Parameter("N".to_owned());
    let dims = [rows, Dimension::Value(width as i64)];
    let dim = dims.map(|value| DimensionProto { value: Some(value) }).into();
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = Some(TensorTypeProto { elem_type: DOUBLE, shape });
    let r#type = Some(TypeProto { tensor_type });
    ValueInfoProto { name: name.to_owned(), r#type, doc_string: doc.to_owned() }
}

fn attribute(name: &str, r#type: i32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type, ..AttributeProto::default() }
}

/// An attribute of one number.
pub(super) fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, ATTRIBUTE_INT) }
}

/// An attribute of several numbers.
pub(super) fn integers(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..attribute(name, ATTRIBUTE_INTS) }
}

/// An attribute that is a vector of f64.
pub(super) fn double_vector(name: &str, values: &[f64]) -> AttributeProto {
    let raw_data = little_endian(values, |value| value.to_le_bytes());
    let t = Some(tensor(&[values.len()], DOUBLE, raw_data));
    AttributeProto { t, ..attribute(name, ATTRIBUTE_TENSOR) }
}

/// An attribute that is a vector of u8.
pub(super) fn byte_vector(name: &str, values: Vec<u8>) -> AttributeProto {
    let t = Some(tensor(&[values.len()], UINT8, values));
    AttributeProto { t, ..attribute(name, ATTRIBUTE_TENSOR) }
}
