"""What helps, by rule. Each line names the variable, the setting or the place to go to."""

REMEDIES = {
    # The settings of this command
    "setting": "Correct the variable, or unset it for its default",
    "url_missing": "Set LABEL_STUDIO_URL to Label Studio's address as this machine reaches it,"
    " e.g. http://localhost:8080",
    "key_missing": "Set LABEL_STUDIO_API_KEY to a personal access token: Label Studio → Account &"
    " Settings → Personal Access Token",
    # Label Studio
    "url_host": "Correct the host name in LABEL_STUDIO_URL; in a container it must be a name that"
    " the container can resolve (host.docker.internal, or the service's name)",
    "url_refused": "Start Label Studio, or correct the port in LABEL_STUDIO_URL; in a container,"
    " localhost is the container itself",
    "url_silent": "Label Studio must answer within {seconds:g} s: look at its log, and whether a"
    " firewall or a wrong address in LABEL_STUDIO_URL swallows the connection",
    "url_other": "LABEL_STUDIO_URL must be Label Studio's own address, with its sub-path if it has"
    " one, and nothing of a page's path",
    "url_tls": "Set CA_FILE to the certificates (PEM) of the CA that Label Studio's certificate is"
    " of; one that has expired or is of another host name must be renewed where Label Studio runs",
    "version_older": "Update Label Studio to {tested} or newer: pip install -U label-studio",
    "version_newer": "Should predictions not be shown, this may be why: look for a newer prelabel",
    # The token
    "token_short": "LABEL_STUDIO_API_KEY is an access token, which lives for minutes: use the"
    " personal access token that it was made from (Account & Settings)",
    "token_expired": "Make a new personal access token (Account & Settings → Personal Access Token)"
    " and set LABEL_STUDIO_API_KEY to it",
    "token_refused": "Copy the personal access token again, whole, into LABEL_STUDIO_API_KEY; if it"
    " was revoked, or is of another Label Studio, make a new one (Account & Settings)",
    "token_kind_off": "Personal access tokens are switched off: Organization → Access Token"
    " Settings → Personal Access Tokens",
    "token_legacy_off": "Use a personal access token as LABEL_STUDIO_API_KEY, or switch legacy"
    " tokens on: Organization → Access Token Settings → Legacy Tokens",
    # The project
    "project_missing": "--project takes the number in the address of the project's page,"
    " {url}/projects/NUMBER; the token's user must be able to see it",
    "project_empty": "Import a task, then this command can look further",
    # Our server
    "server_refused": "Start it with `prelabel serve`, or name its address with --url; for other"
    " machines and containers it needs --host 0.0.0.0",
    "server_other": "--url must be the address that `prelabel serve` prints; another kind of"
    " server answers there",
    "server_tls": "Set CA_FILE here to the certificates (PEM) of the CA that the server's"
    " certificate is of; one that has expired or is of another host name must be renewed",
    "server_auth": "Set BASIC_AUTH_USER and BASIC_AUTH_PASS here to what the server has",
    "server_path": "End --url with nothing, or with the name of a backend that serves: {names}",
    "model_failed": "Correct the backend's setting or install what is missing, then start the"
    " server again; `prelabel serve` logs the whole reason",
    "model_loading": "Wait until the model is loaded, then ask again; {url}/ready says how far it"
    " is",
    # Label Studio to our server
    "not_connected": "In the project: Settings → Model → Connect Model, with the server's address"
    " as Label Studio reaches it ({url} if both are on one machine). Local addresses are refused"
    " unless Label Studio is started with ML_BLOCK_LOCAL_IP=false and"
    " SSRF_PROTECTION_ENABLED=false",
    "connection_blocked": "Start Label Studio with ML_BLOCK_LOCAL_IP=false and"
    " SSRF_PROTECTION_ENABLED=false, which lets it ask local addresses",
    "connection_host": "Label Studio does not know that host: Settings → Model → Edit, with a name"
    " that Label Studio's machine or container can resolve",
    "connection_refused": "Label Studio cannot reach that address: Settings → Model → Edit, with an"
    " address that works from Label Studio's machine or container (there, localhost is itself),"
    " and start the server with --host 0.0.0.0",
    "connection_tls": "Start Label Studio with REQUESTS_CA_BUNDLE set to the certificates (PEM) of"
    " the CA that the server's certificate is of, or connect without TLS: Settings → Model → Edit",
    "connection_auth": "Settings → Model → Edit → Basic Authentication: user name and password must"
    " be BASIC_AUTH_USER and BASIC_AUTH_PASS of the server",
    "connection_setup": "The server answers, but not /setup as Label Studio expects: look at its"
    " log, and at the address, which must end with nothing or with a backend's name",
    "connection_slow": "The server must answer /setup within 3 s (ML_TIMEOUT_SETUP of Label"
    " Studio): is the machine overloaded, or another program there?",
    "connection_elsewhere": "If that is the same server, all is well; else name its address with"
    " --url, or connect {url} in Settings → Model",
    "version_chosen": "Sorting by score and uncertainty sampling count no prediction until a"
    " version is chosen: Settings → Annotation → Use predictions to prelabel tasks, e.g. {newest}."
    " From then on Retrieve Predictions predicts tasks, and opening one no longer does",
    # The label config
    "config": "Correct the label config: Settings → Labeling Interface → Code",
    "nothing_filled": "Serve a backend that fills one of these tags (`prelabel serve NAME`), or"
    " change the tags: Settings → Labeling Interface",
    "tag_not_filled": 'Serve a backend that fills it, or say model_skip="true" on the tag',
    "tag_problem": "Correct the tag: Settings → Labeling Interface → Code",
    "label_unfilled": 'Name the model\'s class on the label, predicted_values="class" (classes'
    " without a label: {classes})",
    # The task's media
    "media_key": "The label config shows another key than the task's data have: correct the tag's"
    " value, or import the task with that key",
    "media_value": "The task's value is not what the label config says: correct it in the task's"
    " data, or the tag's attribute in the label config",
    "media_url": "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY where the server runs: the file"
    " is Label Studio's",
    "media_token": "Set LABEL_STUDIO_API_KEY where the server runs to a token that Label Studio"
    " accepts",
    "media_gone": "The address does not give the file: open it in a browser, and correct it in the"
    " task's data, or upload the file again",
    "media_hosts": "Add the host to ALLOWED_HOSTS where the server runs, or unset it",
    "media_private": "Set ALLOWED_NETWORKS where the server runs to the network of that host, e.g."
    " 10.0.0.0/8; if the host is Label Studio, set LABEL_STUDIO_URL to exactly that address",
    "media_local": "Set LOCAL_FILES_ROOT where the server runs to the folder that the path after"
    " ?d= begins in (Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)",
    "media_size": "Raise the limit (MAX_MEDIA_MB, MAX_MEGAPIXELS or MAX_VIDEO_FRAMES) where the"
    " server runs, or import a smaller file",
    "media_unreachable": "The server's machine must reach that address (DNS, firewall, TLS); a slow"
    " one may need a greater FETCH_TIMEOUT",
    "media_unreadable": "The file is no image, text or recording that can be read: open it in the"
    " editor, and import a sound one",
    # The prediction
    "predict_model": "The model could not be loaded: correct its setting where the server runs,"
    " e.g. DETECTION_MODEL or MODEL_DIR",
    "predict_deadline": "Ask again: the model was still loading, or is slow; PREDICT_DEADLINE where"
    " the server runs, at most Label Studio's ML_TIMEOUT_PREDICT (100 s)",
    "predict_unfillable": 'Name the model\'s class on a label, predicted_values="class", or serve a'
    " model that has what the label config asks for",
    "predict_failed": "The model fails on this task: the server's log has the traceback",
    "predict_labels": "Write the labels in the task's data as objects, which the editor shows by"
    ' name: [{{"value": "Person"}}, {{"value": "Place"}}]',
    "predict_refused": "The server's log says more of this request",
    "predict_version": "Label Studio stores such predictions again at every retrieval: ask again"
    " when all models are loaded; in a backend of your own, list all files in `weights`",
    "dropped": "The backend's `regions` makes what the editor would not show: correct it there, or"
    " the label config",
    "invalid": "The editor would not show it as meant: correct the backend's `regions`",
    "doubtful": "It is shown, but perhaps elsewhere than meant: check what the backend's `regions`"
    " says",
    "nothing_found": "The model found nothing in this task, which may be right: try another task",
    # Storing it
    "push_refused": "Label Studio must let the token's user store predictions, and a proxy before"
    " it must let through POST requests of this size",
    "push_lost": "Label Studio said that it stored the prediction, and does not have it: look at"
    " its log",
    # Anything else
    "unexpected": "Look at the log of what answered so",
}
