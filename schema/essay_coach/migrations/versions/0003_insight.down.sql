DROP TABLE view_refreshes, data_quality_findings, audit_log, logs, reports, analytics, metric_types;
