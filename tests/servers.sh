# Servers for the suites that start their own. Sourced by their `run` scripts, which set `root` and `venv`;
# what is started here ends with the script.

servers=()
logs="$(mktemp -d)"
end_servers() {
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
    rm -rf "$logs"
}
trap end_servers EXIT

# start_reference PORT: the reference in memory, its HTTP port the next one, with what ours has on by default.
start_reference() {
    local port="$1"
    local callback="http://127.0.0.1:$((port + 1))/namespaces/{{.NamespaceName}}/nexus/callback"
    "$venv/bin/temporal" server start-dev --headless --log-level error \
        -p "$port" --http-port "$((port + 1))" \
        --dynamic-config-value frontend.WorkflowPauseEnabled=true \
        --dynamic-config-value history.enableStandaloneActivityOperatorCommands=true \
        --dynamic-config-value nexusoperation.enableStandalone=true \
        --dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true \
        --dynamic-config-value nexusoperation.enableStandalone=true \
        --dynamic-config-value "component.nexusoperations.callback.endpoint.template=\"$callback\"" \
        >"$logs/reference" 2>&1 &
    servers+=($!)
}

# start_ours PORT: the newest debug build in memory, its HTTP port the next one.
start_ours() {
    (cd "$root" && cargo build --quiet --package steadfast)
    "$root/target/debug/steadfast" dev --in-memory --port "$1" --http-port "$(($1 + 1))" \
        --dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true >"$logs/ours" 2>&1 &
    servers+=($!)
}

# wait_for ADDRESS: until it serves.
wait_for() {
    STEADFAST_ADDRESS="$1" PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$root/tests/wire/wait_for_server.py"
}
