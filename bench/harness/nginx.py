"""What each nginx of a run has in common."""

# In the foreground, everything below its own folder, connections kept.
HEAD = """daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000; keepalive_timeout 1h;
"""
