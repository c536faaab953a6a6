"""What several tests make use of; fixtures stay in each folder's conftest."""
