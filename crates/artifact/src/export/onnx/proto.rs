//! The messages of the ONNX standard that a model is written with, by its field numbers.
//!
//! Source: onnx.proto of ONNX 1.16 (intermediate representation 10).

/// A tensor's element types.
pub(in crate::export) const FLOAT: i32 = 1;
pub(in crate::export) const UINT8: i32 = 2;
pub(in crate::export) const INT64: i32 = 7;
pub(in crate::export) const BOOL: i32 = 9;
pub(in crate::export) const DOUBLE: i32 = 11;

/// The types of an attribute.
pub(in crate::export) const ATTRIBUTE_INT: i32 = 2;
pub(in crate::export) const ATTRIBUTE_TENSOR: i32 = 4;
pub(in crate::export) const ATTRIBUTE_INTS: i32 = 7;

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct ModelProto {
    #[prost(int64, tag = "1")]
    pub(in crate::export) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(in crate::export) producer_name: String,
    #[prost(string, tag = "3")]
    pub(in crate::export) producer_version: String,
    #[prost(string, tag = "6")]
    pub(in crate::export) doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub(in crate::export) graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub(in crate::export) opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub(in crate::export) metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub(in crate::export) domain: String,
    #[prost(int64, tag = "2")]
    pub(in crate::export) version: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub(in crate::export) key: String,
    #[prost(string, tag = "2")]
    pub(in crate::export) value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::export) node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub(in crate::export) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(in crate::export) initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub(in crate::export) input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub(in crate::export) output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub(in crate::export) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(in crate::export) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(in crate::export) name: String,
    #[prost(string, tag = "4")]
    pub(in crate::export) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(in crate::export) attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub(in crate::export) domain: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub(in crate::export) name: String,
    // Optional, so that a number of 0 is written too.
    #[prost(int64, optional, tag = "3")]
    pub(in crate::export) i: Option<i64>,
    #[prost(message, optional, tag = "5")]
    pub(in crate::export) t: Option<TensorProto>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub(in crate::export) ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub(in crate::export) r#type: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(in crate::export) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(in crate::export) data_type: i32,
    #[prost(string, tag = "8")]
    pub(in crate::export) name: String,
    // Little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub(in crate::export) raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub(in crate::export) name: String,
    #[prost(message, optional, tag = "2")]
    pub(in crate::export) r#type: Option<TypeProto>,
    #[prost(string, tag = "3")]
    pub(in crate::export) doc_string: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub(in crate::export) tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub(in crate::export) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(in crate::export) shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::export) dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct DimensionProto {
    #[prost(oneof = "Dimension", tags = "1, 2")]
    pub(in crate::export) value: Option<Dimension>,
}

/// A number, or a name for what is known when the model runs.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::export) enum Dimension {
    #[prost(int64, tag = "1")]
    Value(i64),
    #[prost(string, tag = "2")]
    Parameter(String),
}
