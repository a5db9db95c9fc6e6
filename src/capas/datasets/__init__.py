"""Data to train on: images and tables, each with the preparation that a model keeps for raw data met later."""

from .columns import CategoryColumn as CategoryColumn
from .columns import NumberColumn as NumberColumn
from .demo import demo_images as demo_images
from .demo import digits as digits
from .description import from_json as from_json
from .description import to_json as to_json
from .fashion import fashion_mnist as fashion_mnist
from .fashion import fashion_mnist_places as fashion_mnist_places
from .folders import image_folder as image_folder
from .folders import labelled_images as labelled_images
from .folders import read_images as read_images
from .frames import read_table as read_table
from .idx import read_idx as read_idx
from .images import ImagePreparation as ImagePreparation
from .images import Images as Images
from .tables import TablePreparation as TablePreparation
from .targets import ClassTarget as ClassTarget
from .targets import NumberTarget as NumberTarget
