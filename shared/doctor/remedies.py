"""What helps, by rule. Each remedy names the variable, the setting or the page to go to."""

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
    "url_silent": "Label Studio did not answer within {seconds:g} s: look at its log, and check"
    " whether a firewall or a wrong address in LABEL_STUDIO_URL drops the connection",
    "url_other": "LABEL_STUDIO_URL must be Label Studio's own address, with its sub-path if it has"
    " one, without the path of a page",
    "url_tls": "Set CA_FILE to the certificates (PEM) of the CA that signed Label Studio's; a"
    " certificate that has expired or names another host must be renewed where Label Studio runs",
    "version_older": "Update Label Studio to {tested} or newer: pip install -U label-studio",
    "version_newer": "If predictions are not shown, this may be the reason: look for a newer"
    " prelabel",
    # The token
    "token_short": "LABEL_STUDIO_API_KEY is an access token, which expires within minutes: use the"
    " personal access token that it was made from (Account & Settings)",
    "token_expired": "Make a new personal access token (Account & Settings → Personal Access"
    " Token) and set LABEL_STUDIO_API_KEY to it",
    "token_refused": "Copy the whole personal access token into LABEL_STUDIO_API_KEY again; if it"
    " was revoked, or belongs to another Label Studio, make a new one (Account & Settings)",
    "token_kind_off": "Personal access tokens are switched off: Organization → Access Token"
    " Settings → Personal Access Tokens",
    "token_legacy_off": "Use a personal access token as LABEL_STUDIO_API_KEY, or switch legacy"
    " tokens on: Organization → Access Token Settings → Legacy Tokens",
    # The project
    "project_missing": "--project takes the number in the address of the project's page,"
    " {url}/projects/NUMBER; the token's user must be able to see it",
    "project_empty": "Import a task, then check again",
    # Our server
    "server_refused": "Start the server with `prelabel serve`, or give its address with --url;"
    " other machines and containers reach it only with --host 0.0.0.0",
    "server_other": "--url must be the address that `prelabel serve` prints; a server of another"
    " kind answers there",
    "server_tls": "Set CA_FILE here to the certificates (PEM) of the CA that signed the server's;"
    " a certificate that has expired or names another host must be renewed",
    "server_auth": "Set BASIC_AUTH_USER and BASIC_AUTH_PASS here to the values that the server has",
    "server_path": "Use the server's address alone as --url, or end it with a backend's name:"
    " {names}",
    "model_failed": "Correct the backend's setting or install what is missing, then start the"
    " server again; `prelabel serve` logs the full reason",
    "model_loading": "Wait until the model is loaded, then check again; {url}/ready shows the"
    " progress",
    # A model on another machine
    "remote_model": "Correct what the message names, then check again: `prelabel doctor` has the"
    " settings of `prelabel serve` if both have the same environment",
    # Label Studio to our server
    "not_connected": "In the project: Settings → Model → Connect Model, with the server's address"
    " as Label Studio reaches it ({url} if both are on one machine). Local addresses are refused"
    " unless Label Studio is started with ML_BLOCK_LOCAL_IP=false and"
    " SSRF_PROTECTION_ENABLED=false",
    "connection_blocked": "Start Label Studio with ML_BLOCK_LOCAL_IP=false and"
    " SSRF_PROTECTION_ENABLED=false, which lets it ask local addresses",
    "connection_host": "Label Studio cannot resolve that host: Settings → Model → Edit, with a"
    " name that Label Studio's machine or container can resolve",
    "connection_refused": "Label Studio cannot reach that address: Settings → Model → Edit, with"
    " an address that works from Label Studio's machine or container (where localhost is itself),"
    " and start the server with --host 0.0.0.0",
    "connection_tls": "Start Label Studio with REQUESTS_CA_BUNDLE set to the certificates (PEM) of"
    " the CA that signed the server's, or connect without TLS: Settings → Model → Edit",
    "connection_auth": "Settings → Model → Edit → Basic Authentication: enter the server's"
    " BASIC_AUTH_USER and BASIC_AUTH_PASS",
    "connection_setup": "The server does not answer /setup as Label Studio expects: look at its"
    " log, and at the address, which is the server's alone or ends with a backend's name",
    "connection_slow": "The server must answer /setup within 3 s (ML_TIMEOUT_SETUP of Label"
    " Studio): is the machine overloaded, or does another program answer there?",
    "connection_elsewhere": "If that is the same server, nothing is wrong; otherwise give its"
    " address with --url, or connect {url} in Settings → Model",
    "version_chosen": "Sorting by score and uncertainty sampling ignore all predictions until a"
    " version is chosen: Settings → Annotation → Use predictions to prelabel tasks, e.g. {newest}."
    " From then on Retrieve Predictions predicts tasks, and opening one no longer does",
    # The label config
    "config": "Correct the label config: Settings → Labeling Interface → Code",
    "nothing_filled": "Serve a backend that fills one of these tags (`prelabel serve NAME`), or"
    " change the tags: Settings → Labeling Interface",
    "tag_not_filled": 'Serve a backend that fills it, or put model_skip="true" on the tag',
    "tag_problem": "Correct the tag: Settings → Labeling Interface → Code",
    "label_unfilled": 'Name the model\'s class on the label, predicted_values="class" (classes'
    " without a label: {classes})",
    # The task's media
    "media_key": "The tag's value does not fit the task's data: correct the key in the label"
    " config, or import the task with a value of the right type under that key",
    "media_value": "The task's value does not match the label config: correct it in the task's"
    " data, or the tag's attribute in the label config",
    "media_url": "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY where the server runs: the file is"
    " served by Label Studio. A file of your own is named /data/local-files/?d=PATH, with"
    " LOCAL_FILES_ROOT set to the folder in which PATH begins",
    "media_token": "Set LABEL_STUDIO_API_KEY where the server runs to a token that Label Studio"
    " accepts",
    "media_gone": "The address does not lead to the file: open it in a browser, correct it in the"
    " task's data, or upload the file again",
    "media_buckets": "Add the bucket, or a folder in it, to ALLOWED_BUCKETS where the server runs,"
    " with the store's credentials in its environment",
    "media_hosts": "Add the host to ALLOWED_HOSTS where the server runs, or unset it",
    "media_private": "Set ALLOWED_NETWORKS where the server runs to the network of that host, e.g."
    " 10.0.0.0/8; if the host is Label Studio, set LABEL_STUDIO_URL to exactly that address",
    "media_local": "Set LOCAL_FILES_ROOT where the server runs to the folder in which the path"
    " after ?d= begins (Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)",
    "media_size": "Raise the limit (MAX_MEDIA_MB, MAX_MEGAPIXELS, MAX_VIDEO_FRAMES or"
    " MAX_AUDIO_SECONDS) where the server runs, or import a smaller file",
    "media_unreachable": "The server's machine must be able to reach that address (DNS, firewall,"
    " TLS); a slow one may need a longer FETCH_TIMEOUT",
    "media_unreadable": "The file cannot be read as an image, text or recording: open it in the"
    " editor, and import an intact one",
    # The prediction
    "predict_model": "The model could not be loaded: correct its setting where the server runs,"
    " e.g. DETECTION_MODEL or MODEL_DIR",
    "predict_deadline": "Check again, since the model was still loading; if it is slow, raise"
    " PREDICT_DEADLINE where the server runs, up to Label Studio's ML_TIMEOUT_PREDICT (100"
    " s)",
    "predict_unfillable": 'Name the model\'s class on a label, predicted_values="class", or serve'
    " a model that has what the label config asks for",
    "predict_failed": "The model fails on this task: the server's log has the traceback",
    "predict_labels": "Write the labels in the task's data as objects, which the editor shows by"
    ' name: [{{"value": "Person"}}, {{"value": "Place"}}]',
    "predict_refused": "The server's log has the details of this request",
    "predict_version": "Label Studio stores such predictions again at every retrieval: check"
    " again when all models are loaded; a backend of your own must list all files in"
    " `weights`",
    "dropped": "The backend's `regions` yields a region that the editor would not show: correct it"
    " there, or the label config",
    "invalid": "The editor would not show it as meant: correct the backend's `regions`",
    "doubtful": "It is shown, but perhaps not where it should be: check what the backend's"
    " `regions` yields",
    "nothing_found": "The model found nothing in this task, which may be right: try another task",
    # Storing the prediction
    "push_refused": "The token's user must be allowed to store predictions, and a proxy in front"
    " of Label Studio must accept POST requests of this size",
    "push_lost": "Label Studio confirmed that it stored the prediction, but does not have it: look"
    " at its log",
    # Training
    "train_setting": "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY where the server runs; a"
    " backend of your own must be installed there to be trained",
    "train_tags": "Serve a backend that can be trained for one of the tags: docs/training.md",
    "train_examples": "Annotate more: {count} tasks of each label are needed to learn it. The other"
    " labels are trained without it",
    "train_failed": "Mend what it says, then start the training again; `prelabel jobs ID` shows"
    " the end of its log",
    # A Compose file of an official example
    "compose_file": "--from-compose takes the docker-compose.yml of an official example",
    "compose_image": "Put this server's image in its place: docker build -f docker/Dockerfile"
    " --build-arg EXTRAS={extras} -t prelabel . (docs/deployment.md), and leave out `build` and"
    " `command`",
    "compose_cache": "Mount a volume at /cache, which keeps fetched weights and trainings; what is"
    " mounted at MODEL_DIR stays",
    "compose_localhost": "In a container give Label Studio's address by a name that the container"
    " can resolve: its service's name, or http://host.docker.internal:8080 with `extra_hosts`",
    # Anything else
    "unexpected": "Look at the log of the server that gave this response",
}
