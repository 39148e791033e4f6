//! `measures.parquet`: one row for each measure of each run, for analysis in any table program; and
//! `runs.parquet`: one row for each run of a sweep.
//!
//! Plain encoding, no compression, no dictionary: every reader reads it, and the same runs give the same
//! bytes. Columns: `scenario, seed, digest, measure, unit, n, min, p50, p90, p99, max`; the digest is text of
//! sixteen hex digits as in the JSON; a figure that was never measured is not a number (NaN).

use super::sweep::{measure_cells, measure_columns, singles, verdict_of};
use crate::measure::sweep::{Row, Sweep};
use crate::measure::{Measure, RunResult};
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use std::sync::Arc;

const SCHEMA: &str = "message measures {
    required binary scenario (UTF8);
    required int64 seed (INTEGER(64, false));
    required binary digest (UTF8);
    required binary measure (UTF8);
    required binary unit (UTF8);
    required int64 n (INTEGER(64, false));
    required double min;
    required double p50;
    required double p90;
    required double p99;
    required double max;
}";

/// The table as the bytes of a Parquet file.
pub fn measures_parquet(runs: &[RunResult]) -> Vec<u8> {
    write(runs).expect("writing to memory, with columns that match the schema")
}

enum Column {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Float(Vec<f64>),
    /// Those that are there, and for each row 1 if it has one.
    Perhaps(Vec<f64>, Vec<i16>),
}

fn columns(runs: &[RunResult]) -> Vec<Column> {
    let rows: Vec<(&RunResult, &Measure)> =
        runs.iter().flat_map(|run| run.measures.iter().map(move |m| (run, m))).collect();
    let text = |f: &dyn Fn(&RunResult, &Measure) -> String| {
        Column::Text(rows.iter().map(|(r, m)| ByteArray::from(f(r, m).into_bytes())).collect())
    };
    let integer = |f: &dyn Fn(&RunResult, &Measure) -> u64| {
        // An unsigned column keeps its 64 bits in a signed one, as the format says.
        Column::Integer(rows.iter().map(|(r, m)| f(r, m).cast_signed()).collect())
    };
    let float =
        |f: &dyn Fn(&Measure) -> f64| Column::Float(rows.iter().map(|(_, m)| f(m)).collect());
    vec![
        text(&|r, _| r.scenario.clone()),
        integer(&|r, _| r.seed),
        text(&|r, _| format!("{:016x}", r.digest)),
        text(&|_, m| m.name.clone()),
        text(&|_, m| m.unit.clone()),
        integer(&|_, m| m.n),
        float(&|m| m.min),
        float(&|m| m.p50),
        float(&|m| m.p90),
        float(&|m| m.p99),
        float(&|m| m.max),
    ]
}

fn write(runs: &[RunResult]) -> parquet::errors::Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    write_columns(schema, columns(runs))
}

/// The runs of a sweep, one row each, with the columns of `runs.csv` but for what failed in words: a figure
/// that a run did not measure is null.
pub fn runs_parquet(sweep: &Sweep) -> Vec<u8> {
    write_runs(sweep).expect("writing to memory, with columns that match the schema")
}

fn write_runs(sweep: &Sweep) -> parquet::errors::Result<Vec<u8>> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    let rows = &sweep.rows;
    let mut add = |name: &str, column: Column| -> parquet::errors::Result<()> {
        let (physical, repetition) = match &column {
            Column::Text(_) => (PhysicalType::BYTE_ARRAY, Repetition::REQUIRED),
            Column::Integer(_) => (PhysicalType::INT64, Repetition::REQUIRED),
            Column::Float(_) => (PhysicalType::DOUBLE, Repetition::REQUIRED),
            Column::Perhaps(..) => (PhysicalType::DOUBLE, Repetition::OPTIONAL),
        };
        let logical = match physical {
            PhysicalType::BYTE_ARRAY => Some(LogicalType::String),
            PhysicalType::INT64 => Some(LogicalType::integer(64, false)),
            _ => None,
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
        columns.push(column);
        Ok(())
    };
    let text = |f: &dyn Fn(&Row) -> String| {
        Column::Text(rows.iter().map(|r| ByteArray::from(f(r).into_bytes())).collect())
    };
    let integer = |f: &dyn Fn(&Row) -> u64| {
        Column::Integer(rows.iter().map(|r| f(r).cast_signed()).collect())
    };
    add("combination", integer(&|r| u64::from(r.combination) + 1))?;
    for (i, axis) in sweep.axes.iter().enumerate() {
        let value = |r: &Row| sweep.combinations[r.combination as usize].values[i].clone();
        add(&format!("vary.{axis}"), text(&value))?;
    }
    add("seed", integer(&|r| r.seed))?;
    add("verdict", text(&|r| verdict_of(r).to_string()))?;
    add("digest", text(&|r| format!("{:016x}", r.digest)))?;
    add("events", integer(&|r| r.events))?;
    let singles = singles(sweep);
    let cells: Vec<Vec<Option<f64>>> = rows.iter().map(|r| measure_cells(r, &singles)).collect();
    for (i, name) in measure_columns(sweep).iter().enumerate() {
        let values = cells.iter().filter_map(|row| row[i]).collect();
        let levels = cells.iter().map(|row| i16::from(row[i].is_some())).collect();
        add(name, Column::Perhaps(values, levels))?;
    }
    let schema = Type::group_type_builder("runs").with_fields(fields).build()?;
    write_columns(Arc::new(schema), columns)
}

fn write_columns(schema: Arc<Type>, columns: Vec<Column>) -> parquet::errors::Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("winstorm".to_string())
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut columns = columns.into_iter();
    while let Some(mut writer) = group.next_column()? {
        let values = columns.next().expect("as many columns as the schema has");
        match (writer.untyped(), &values) {
            (ColumnWriter::ByteArrayColumnWriter(w), Column::Text(v)) => {
                w.write_batch(v, None, None)?
            }
            (ColumnWriter::Int64ColumnWriter(w), Column::Integer(v)) => {
                w.write_batch(v, None, None)?
            }
            (ColumnWriter::DoubleColumnWriter(w), Column::Float(v)) => {
                w.write_batch(v, None, None)?
            }
            (ColumnWriter::DoubleColumnWriter(w), Column::Perhaps(v, levels)) => {
                w.write_batch(v, Some(levels), None)?
            }
            _ => unreachable!("a column of another type than the schema's"),
        };
        writer.close()?;
    }
    group.close()?;
    file.into_inner()
}
