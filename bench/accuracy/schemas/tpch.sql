-- Its tables come from tools/tpch.py; primary keys only.
CREATE EXTENSION bloom;
