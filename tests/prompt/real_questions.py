"""Questions of all kinds about messages to a shop, made as the backend makes them."""

from itertools import cycle, islice

from backends.prompt import PromptBackend
from backends.prompt.question import Question
from shared.backend import Task
from shared.cli.demo.training_data.messages import LABEL_CONFIG, write_message
from shared.settings import changed_environment

# Label configs whose answers have another form each.
CONTROLS = (
    '<Choices name="topics" toName="text" choice="multiple"><Choice value="Billing"/>'
    '<Choice value="Delivery"/><Choice value="Defect"/></Choices>',
    '<Rating name="anger" toName="text" maxRating="5"/>',
    '<Taxonomy name="kind" toName="text"><Choice value="Goods"><Choice value="Broken"/>'
    '<Choice value="Missing"/></Choice><Choice value="Money"/></Taxonomy>',
    '<Number name="count" toName="text" min="0" max="100"/>'
    '<DateTime name="day" toName="text" only="date"/>',
    '<TextArea name="summary" toName="text" maxSubmissions="1"/>',
    '<Labels name="thing" toName="text"><Label value="Product"/><Label value="Number"/></Labels>',
)
CONFIGS = (
    LABEL_CONFIG,
    *(f'<View><Text name="text" value="$text"/>{one}</View>' for one in CONTROLS),
)


def make_questions(count: int, configs: tuple[str, ...] = CONFIGS) -> list[Question]:
    """Make questions, of each label config in turn; the texts are those of unseen messages."""
    found = []
    with changed_environment({"PROMPT_MODEL": "any"}):
        backends = [PromptBackend(label_config=xml, served=True) for xml in configs]
        for number, backend in enumerate(islice(cycle(backends), count)):
            [claim] = backend.claim(backend.config)
            task = Task(number, {"text": write_message(10_000 + number).text})
            found += backend.read(task, claim, None)
    return found
