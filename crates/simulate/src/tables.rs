//! The rows of a nightly extract, table by table, as Parquet. Columns, types and their order are those
//! of the tables' contracts.

use arrow::array::{Float64Builder, Int32Builder, Int64Builder, StringBuilder};
use bytes::Bytes;
use terms::{Day, column};

use crate::carriers::CARRIERS;
use crate::columns::{Columns, Instants, finish};
use crate::error::Error;
use crate::geography::REGIONS;
use crate::nodes::Node;
use crate::plan::Plan;
use crate::recording::{LegRecord, OrderRecord, OrderVersion, ShipmentRecord, ShipmentVersion};

/// Columns of the table `nodes` that only it has.
mod node_column {
    pub(super) const NODE_ID: &str = "node_id";
    pub(super) const KIND: &str = "kind";
    pub(super) const ZONE: &str = "zone";
    pub(super) const REGION: &str = "region";
    pub(super) const LAT: &str = "lat";
    pub(super) const LON: &str = "lon";
    pub(super) const TIME_ZONE: &str = "time_zone";
    pub(super) const DAILY_CAPACITY: &str = "daily_capacity";
}

/// Columns of the table `legs` that only it has.
mod leg_column {
    pub(super) const LEG_INDEX: &str = "leg_index";
    pub(super) const MILE: &str = "mile";
    pub(super) const FROM_NODE_ID: &str = "from_node_id";
    pub(super) const TO_NODE_ID: &str = "to_node_id";
    pub(super) const DEPARTED_AT: &str = "departed_at";
    pub(super) const ARRIVED_AT: &str = "arrived_at";
    pub(super) const FAILED_ATTEMPTS: &str = "failed_attempts";
    pub(super) const FAILED_ATTEMPT_AT: &str = "failed_attempt_at";
}

/// Rows of `orders`.
#[derive(Default)]
pub(crate) struct OrderRows {
    n_rows: usize,
    order_id: StringBuilder,
    recorded_at: Instants,
    ordered_at: Instants,
    paid_at: Instants,
    status: StringBuilder,
    destination_zone: StringBuilder,
    destination_region: StringBuilder,
    destination_lat: Float64Builder,
    destination_lon: Float64Builder,
    destination_time_zone: StringBuilder,
    ship_option: StringBuilder,
    promised_at: Instants,
}

impl OrderRows {
    pub(crate) fn len(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn push(
        &mut self,
        plan: &Plan,
        record: &OrderRecord,
        version: &OrderVersion,
        recorded_at: i64,
    ) {
        let order = &record.order;
        let zone = &plan.geography.zones[order.zone as usize];
        let region = &REGIONS[zone.region];
        self.n_rows += 1;
        self.order_id.append_value(order_id(order.number));
        self.recorded_at.push(Some(recorded_at));
        self.ordered_at.push(Some(order.ordered_at));
        self.paid_at.push(version.paid_at);
        self.status.append_value(version.status);
        self.destination_zone.append_value(&zone.code);
        self.destination_region.append_value(region.code);
        self.destination_lat.append_option(order.location.map(|(lat, _)| lat));
        self.destination_lon.append_option(order.location.map(|(_, lon)| lon));
        self.destination_time_zone.append_value(region.time_zone.name());
        self.ship_option.append_value(order.ship_option.name());
        self.promised_at.push(Some(order.promised_at));
    }

    pub(crate) fn finish(self, recorded_on: Day) -> Result<Bytes, Error> {
        Columns::default()
            .required(column::ORDER_ID, finish(self.order_id))
            .required(column::RECORDED_AT, self.recorded_at.finish())
            .required(column::ORDERED_AT, self.ordered_at.finish())
            .nullable(column::PAID_AT, self.paid_at.finish())
            .required(column::STATUS, finish(self.status))
            .required(column::DESTINATION_ZONE, finish(self.destination_zone))
            .required(column::DESTINATION_REGION, finish(self.destination_region))
            .nullable(column::DESTINATION_LAT, finish(self.destination_lat))
            .nullable(column::DESTINATION_LON, finish(self.destination_lon))
            .nullable(column::DESTINATION_TIME_ZONE, finish(self.destination_time_zone))
            .nullable(column::SHIP_OPTION, finish(self.ship_option))
            .nullable(column::PROMISED_AT, self.promised_at.finish())
            .into_parquet("orders", recorded_on)
    }
}

/// Rows of `shipments`.
#[derive(Default)]
pub(crate) struct ShipmentRows {
    n_rows: usize,
    shipment_id: StringBuilder,
    order_id: StringBuilder,
    recorded_at: Instants,
    status: StringBuilder,
    origin_node_id: StringBuilder,
    origin_zone: StringBuilder,
    origin_region: StringBuilder,
    origin_lat: Float64Builder,
    origin_lon: Float64Builder,
    carrier: StringBuilder,
    service: StringBuilder,
    n_units: Int32Builder,
    weight_g: Float64Builder,
    volume_cm3: Float64Builder,
    longest_side_cm: Float64Builder,
    item_category: StringBuilder,
    item_value: Float64Builder,
    freight_value: Float64Builder,
    ship_by_at: Instants,
    handed_over_at: Instants,
    delivered_at: Instants,
}

impl ShipmentRows {
    pub(crate) fn len(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn push(
        &mut self,
        plan: &Plan,
        record: &ShipmentRecord,
        version: &ShipmentVersion,
        recorded_at: i64,
    ) {
        let shipment = &record.shipment;
        let goods = &shipment.goods;
        let node = &plan.nodes.all[shipment.node as usize];
        self.n_rows += 1;
        self.shipment_id.append_value(shipment_id(shipment.order_number, shipment.part));
        self.order_id.append_value(order_id(shipment.order_number));
        self.recorded_at.push(Some(recorded_at));
        self.status.append_value(version.status);
        self.origin_node_id.append_value(&node.id);
        self.origin_zone.append_value(&plan.geography.zones[node.zone].code);
        self.origin_region.append_value(REGIONS[node.region].code);
        self.origin_lat.append_value(node.lat);
        self.origin_lon.append_value(node.lon);
        self.carrier.append_value(CARRIERS[usize::from(shipment.carrier)].name);
        self.service.append_value(shipment.service.name());
        self.n_units.append_value(version.n_units);
        self.weight_g.append_option(version.weight_g);
        self.volume_cm3.append_option(goods.measured.then_some(goods.volume_cm3));
        self.longest_side_cm.append_option(goods.measured.then_some(goods.longest_side_cm));
        self.item_category.append_value(goods.category().name);
        self.item_value.append_value(goods.value);
        self.freight_value.append_value(shipment.freight_value);
        self.ship_by_at.push(Some(shipment.ship_by_at));
        self.handed_over_at.push(version.handed_over_at);
        self.delivered_at.push(version.delivered_at);
    }

    pub(crate) fn finish(self, recorded_on: Day) -> Result<Bytes, Error> {
        Columns::default()
            .required(column::SHIPMENT_ID, finish(self.shipment_id))
            .required(column::ORDER_ID, finish(self.order_id))
            .required(column::RECORDED_AT, self.recorded_at.finish())
            .required(column::STATUS, finish(self.status))
            .required(column::ORIGIN_NODE_ID, finish(self.origin_node_id))
            .required(column::ORIGIN_ZONE, finish(self.origin_zone))
            .required(column::ORIGIN_REGION, finish(self.origin_region))
            .nullable(column::ORIGIN_LAT, finish(self.origin_lat))
            .nullable(column::ORIGIN_LON, finish(self.origin_lon))
            .nullable(column::CARRIER, finish(self.carrier))
            .nullable(column::SERVICE, finish(self.service))
            .required(column::N_UNITS, finish(self.n_units))
            .nullable(column::WEIGHT_G, finish(self.weight_g))
            .nullable(column::VOLUME_CM3, finish(self.volume_cm3))
            .nullable(column::LONGEST_SIDE_CM, finish(self.longest_side_cm))
            .nullable(column::ITEM_CATEGORY, finish(self.item_category))
            .nullable(column::ITEM_VALUE, finish(self.item_value))
            .nullable(column::FREIGHT_VALUE, finish(self.freight_value))
            .nullable(column::SHIP_BY_AT, self.ship_by_at.finish())
            .nullable(column::HANDED_OVER_AT, self.handed_over_at.finish())
            .nullable(column::DELIVERED_AT, self.delivered_at.finish())
            .into_parquet("shipments", recorded_on)
    }
}

/// Rows of `nodes`.
#[derive(Default)]
pub(crate) struct NodeRows {
    n_rows: usize,
    node_id: StringBuilder,
    recorded_at: Instants,
    kind: StringBuilder,
    zone: StringBuilder,
    region: StringBuilder,
    lat: Float64Builder,
    lon: Float64Builder,
    time_zone: StringBuilder,
    daily_capacity: Int32Builder,
}

impl NodeRows {
    pub(crate) fn len(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn push(&mut self, plan: &Plan, node: &Node, capacity: f64, recorded_at: i64) {
        self.n_rows += 1;
        self.node_id.append_value(&node.id);
        self.recorded_at.push(Some(recorded_at));
        self.kind.append_value(node.kind.name());
        self.zone.append_value(&plan.geography.zones[node.zone].code);
        self.region.append_value(REGIONS[node.region].code);
        self.lat.append_value(node.lat);
        self.lon.append_value(node.lon);
        self.time_zone.append_value(REGIONS[node.region].time_zone.name());
        self.daily_capacity.append_value(capacity.ceil() as i32);
    }

    pub(crate) fn finish(self, recorded_on: Day) -> Result<Bytes, Error> {
        Columns::default()
            .required(node_column::NODE_ID, finish(self.node_id))
            .required(column::RECORDED_AT, self.recorded_at.finish())
            .required(node_column::KIND, finish(self.kind))
            .required(node_column::ZONE, finish(self.zone))
            .required(node_column::REGION, finish(self.region))
            .required(node_column::LAT, finish(self.lat))
            .required(node_column::LON, finish(self.lon))
            .required(node_column::TIME_ZONE, finish(self.time_zone))
            .nullable(node_column::DAILY_CAPACITY, finish(self.daily_capacity))
            .into_parquet("nodes", recorded_on)
    }
}

/// Rows of `legs`.
#[derive(Default)]
pub(crate) struct LegRows {
    n_rows: usize,
    shipment_id: StringBuilder,
    leg_index: Int64Builder,
    recorded_at: Instants,
    mile: StringBuilder,
    from_node_id: StringBuilder,
    to_node_id: StringBuilder,
    departed_at: Instants,
    arrived_at: Instants,
    failed_attempts: Int64Builder,
    failed_attempt_at: Instants,
}

impl LegRows {
    pub(crate) fn len(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn push(&mut self, plan: &Plan, leg: &LegRecord, recorded_at: i64) {
        let node = &plan.nodes.all[leg.node as usize].id;
        let zone = &plan.geography.zones[leg.zone as usize].code;
        let station = format!("station-{zone}");
        let (mile, from, to) = match leg.index {
            0 => ("middle", node, &station),
            _ => ("last", &station, zone),
        };
        self.n_rows += 1;
        self.shipment_id.append_value(shipment_id(leg.order_number, leg.part));
        self.leg_index.append_value(i64::from(leg.index));
        self.recorded_at.push(Some(recorded_at));
        self.mile.append_value(mile);
        self.from_node_id.append_value(from);
        self.to_node_id.append_value(to);
        self.departed_at.push(Some(leg.departed_at));
        self.arrived_at.push(leg.arrived_at);
        self.failed_attempts.append_option(leg.failed_attempts.map(|(n, _)| i64::from(n)));
        self.failed_attempt_at.push(leg.failed_attempts.and_then(|(_, at)| at));
    }

    pub(crate) fn finish(self, recorded_on: Day) -> Result<Bytes, Error> {
        Columns::default()
            .required(column::SHIPMENT_ID, finish(self.shipment_id))
            .required(leg_column::LEG_INDEX, finish(self.leg_index))
            .required(column::RECORDED_AT, self.recorded_at.finish())
            .required(leg_column::MILE, finish(self.mile))
            .required(leg_column::FROM_NODE_ID, finish(self.from_node_id))
            .required(leg_column::TO_NODE_ID, finish(self.to_node_id))
            .nullable(leg_column::DEPARTED_AT, self.departed_at.finish())
            .nullable(leg_column::ARRIVED_AT, self.arrived_at.finish())
            .nullable(leg_column::FAILED_ATTEMPTS, finish(self.failed_attempts))
            .nullable(leg_column::FAILED_ATTEMPT_AT, self.failed_attempt_at.finish())
            .into_parquet("legs", recorded_on)
    }
}

fn order_id(number: u64) -> String {
    format!("o{number:010}")
}

fn shipment_id(order_number: u64, part: u8) -> String {
    format!("s{order_number:010}-{part}")
}
